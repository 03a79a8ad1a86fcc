"""The session of a request that names none: a keyed hash of how its conversation began."""

import hashlib

import msgspec

from shared.domain.sessions import IMPLICIT, Session
from web.dialects.dialect import Dialect
from web.dialects.fields import opener
from web.dialects.fields.body import Fields
from web.dialects.fields.sessions import Named

SOURCE = "implicit"
_BYTES = 16
_encode = msgspec.json.Encoder().encode


class ImplicitSessions:
    """Finds the session of a conversation by its opener; no text of it can be read from the id."""

    def __init__(self, secret: bytes) -> None:
        """All replicas have the same `secret`, of 64 bytes at most."""
        self._secret = secret

    def named(self, dialect: Dialect, fields: Fields, tenant: str | None, model: str) -> Named | None:
        """The session; None for a request without tools and without an earlier answer: it belongs to no agent.

        It is one of the tenant's and of the model's that is asked for, so that no two of them share one.
        """
        began = opener.read(fields, dialect.messages(fields))
        if began is None or not (began.tools or began.goes_on):
            return None
        said = (tenant, model, began.instructions, began.tools, began.first)
        keyed = hashlib.blake2b(_encode(said), digest_size=_BYTES, key=self._secret, person=b"session")
        return Named(Session(IMPLICIT + keyed.hexdigest(), tenant, (model,)), SOURCE)
