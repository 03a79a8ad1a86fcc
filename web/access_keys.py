"""Who sends a request: the client's key, and the tenant that its sessions belong to."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from shared.config.fields import ANY_TENANT
from shared.config.sections import AccessKey
from shared.domain.sessions import identifier
from shared.errors import BadRequest, Denied, TenantRefused
from web.client_address import ClientAddress
from web.dialects.fields.common_fields import API_KEY

PROVIDER_AUTHORIZATION = "X-Provider-Authorization"
"""Where a client sends its own credential for a provider with passthrough_auth."""

_BEARER = "bearer "
_API_KEY = "HTTP_X_API_KEY"


def require_token(environ: Mapping[str, str], token: str, name: str) -> None:
    """Raise Denied unless a request has this bearer token; `name` is what the operator calls it."""
    if not hmac.compare_digest((_bearer(environ) or "").encode("latin-1"), token.encode()):
        raise Denied(f"The token is missing or wrong; send it as `Authorization: Bearer <{name}>`")


def _bearer(environ: Mapping[str, str]) -> str | None:
    credential = environ.get("HTTP_AUTHORIZATION", "")
    return credential[len(_BEARER) :].strip() if credential.lower().startswith(_BEARER) else None


class Access:
    """Checks clients' keys, of which it knows only the digests, and reads the header that names the tenant."""

    def __init__(self, keys: Sequence[AccessKey], tenant_header: str | None, addresses: ClientAddress) -> None:
        self._keys = keys
        self._addresses = addresses
        self.tenant_header = (tenant_header or "").lower()
        self._tenant_variable = "HTTP_" + tenant_header.upper().replace("-", "_") if tenant_header else ""

    def key(self, environ: Mapping[str, str]) -> AccessKey | None:
        """The client's key; None when no keys are configured. Raises Denied."""
        if not self._keys:
            return None
        credential = _bearer(environ) or environ.get(_API_KEY)
        if credential is None:
            raise Denied("No API key was given; send it as `Authorization: Bearer <key>`, or as `x-api-key: <key>`")
        found = self._known(credential)
        if found is None:
            raise Denied("The API key is not known here")
        return found

    def client(self, environ: Mapping[str, str], key: AccessKey | None) -> str:
        """By what a client is counted: its key's name, else its address."""
        return key.name if key else self._addresses.of(environ)

    def provider_credential(self, environ: Mapping[str, str]) -> str | None:
        """The client's own credential for a provider; None when it sends none.

        It is in X-Provider-Authorization. Where no keys are configured, Authorization will do as well, and so will
        x-api-key, whose value then stands behind the header's name. Raises BadRequest when it is a key of this
        gateway: no provider is ever sent one.
        """
        credential = environ.get("HTTP_X_PROVIDER_AUTHORIZATION") or None
        if not self._keys:
            api_key = environ.get(_API_KEY)
            return credential or environ.get("HTTP_AUTHORIZATION") or (f"{API_KEY} {api_key}" if api_key else None)
        if credential and any(map(self._known, (credential, credential.rpartition(" ")[2]))):
            message = f"{PROVIDER_AUTHORIZATION} holds a key of this gateway; send the provider's own"
            raise BadRequest(message, param=PROVIDER_AUTHORIZATION.lower())
        return credential

    def tenant(self, environ: Mapping[str, str], key: AccessKey | None) -> str | None:
        """The tenant: the key's own, else the header's; None when neither names one.

        Where keys are configured, the header names a tenant only if the key says which it may name. Raises
        TenantRefused otherwise, and BadRequest when the header has to be there and is missing.
        """
        if key and key.tenant:
            return key.tenant
        name = self.tenant_header
        if not name:
            return None
        tenant = identifier(environ.get(self._tenant_variable, ""), header=name)
        may_name = key.tenants or () if key else (ANY_TENANT,)
        if tenant is None and may_name:
            raise BadRequest(f"The header {name} is missing; it names the tenant", param=name)
        if tenant is not None and tenant not in may_name and ANY_TENANT not in may_name:
            raise TenantRefused(f"This API key does not belong to the tenant that {name} names")
        return tenant

    def _known(self, secret: str) -> AccessKey | None:
        digest = hashlib.sha256(secret.strip().encode("latin-1")).digest()
        # Every key is compared, each in constant time, so that the time it takes tells nothing about the keys.
        found = [key for key in self._keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None
