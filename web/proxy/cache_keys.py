"""Tells providers which requests belong together, so that a session meets its prompt cache at one of their machines.

Some providers take a key for this, in a field or in a header. They are sent a keyed hash of tenant, session and lane,
never the client's own id. All replicas derive the same secret, from the credentials of the config file: nothing has
to be set or shared for it. A change of them costs each session one miss of its cache.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.catalog import Catalog, Provider
from shared.domain.sessions import Session

_FIELDS = {"openai": "prompt_cache_key", "openrouter": "session_id"}
_HEADERS = {
    "xai": "x-grok-conv-id",
    "fireworks": "x-session-affinity",
    "fireworks_ai": "x-session-affinity",
    "cloudflare": "x-session-affinity",
}
"""By the provider's name, or by the API it is said to speak, unless that is OpenAI's: many a server speaks that."""
_BYTES = 16  # 32 characters; OpenAI takes 64 at most


def shared_secret(catalog: Catalog, digests: Iterable[bytes]) -> bytes:
    """A secret made of the providers' credentials and of the digests of the clients' keys."""
    secrets = {provider.access_key.encode() for provider in catalog.providers if provider.access_key}
    return hashlib.sha256(b"\n".join(sorted(secrets.union(digests)))).digest()


class CacheKeys:
    """Makes the keys."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = hashlib.blake2b(digest_size=_BYTES, key=secret)

    def in_fields(self, provider: Provider, session: Session | None) -> dict[str, str]:
        """The field with the key, for a request that has none of its own; nothing for a provider that takes none."""
        name = _place(_FIELDS, provider) if session else None
        return {name: self._key(provider, session)} if session and name else {}

    def in_headers(self, environ: Mapping[str, Any], provider: Provider, session: Session | None) -> dict[str, str]:
        """The header with the key; the client's own where it has sent one; nothing for a provider that takes none."""
        name = _place(_HEADERS, provider)
        if name is None:
            return {}
        clients_own = environ.get("HTTP_" + name.upper().replace("-", "_"))
        if clients_own is None and session:
            return {name: self._key(provider, session)}
        return {name: clients_own} if clients_own else {}

    def _key(self, provider: Provider, session: Session) -> str:
        """A provider's own: two of them cannot compare theirs."""
        said = "\n".join((provider.name, session.tenant or "", session.id, *session.lane))  # no name holds a line end
        digest = self._keyed.copy()
        digest.update(said.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _place(places: Mapping[str, str], provider: Provider) -> str | None:
    if not provider.cache_key:
        return None
    name = places.get(provider.name)
    return name if name or provider.interface == "openai" else places.get(provider.interface)
