"""The operator's login: a signed cookie in place of the token, so that no replica has to keep anything."""

import hashlib
import hmac
import secrets

import msgspec
from itsdangerous import BadData, Signer, URLSafeTimedSerializer

COOKIE = "plano_admin"
LASTS_S = 12 * 3600
"""How long a login holds. A logout ends it in the browser; another admin token ends it everywhere."""
MOST_NAME = 64
_MOST_COOKIE = 1024


class Operator(msgspec.Struct, frozen=True):
    """Who is logged in, and what shows that a form is one of ours."""

    name: str
    csrf: str


class Logins:
    """Begins and recognises logins; every replica with the same admin token recognises the same."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._cookies = URLSafeTimedSerializer(
            token, salt="plano-admin", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._forms = Signer(token, salt="plano-admin-csrf", key_derivation="hmac", digest_method=hashlib.sha256)

    def knows(self, offered: str) -> bool:
        """Whether this is the admin token; the time it takes tells nothing about it."""
        return hmac.compare_digest(offered.encode("utf-8", "replace"), self._token.encode("utf-8", "replace"))

    def begin(self, name: str) -> str:
        """The cookie of a new login, for a name that is shown with what the operator changes."""
        return str(self._cookies.dumps([name[:MOST_NAME], secrets.token_urlsafe(16)]))

    def operator(self, cookie: str) -> Operator | None:
        """Who has this cookie; None when it is not one of ours, or has ended."""
        if not cookie or len(cookie) > _MOST_COOKIE:
            return None
        try:
            name, _ = self._cookies.loads(cookie, max_age=LASTS_S)
        except BadData:
            return None
        return Operator(name, self._forms.get_signature(cookie).decode())
