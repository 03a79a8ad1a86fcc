"""A session as queries, forms and bodies name it."""

from typing import Annotated
from urllib.parse import quote

import msgspec

from shared.domain.sessions import MAX_LENGTH, Session

_MOST_LANE = 8
_NO_CONTROL = r"[^\x00-\x1f\x7f-\x9f]"
Id = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_LENGTH,
        pattern=rf"^{_NO_CONTROL}*[^\s\x00-\x20\x7f-\xa0]{_NO_CONTROL}*$",
        description="The session's id, as the client names it.",
    ),
]
Tenant = Annotated[
    str,
    msgspec.Meta(
        max_length=MAX_LENGTH, pattern=f"^{_NO_CONTROL}*$", description="Its tenant; empty when it has none."
    ),
]
Lane = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)], ...],
    msgspec.Meta(max_length=_MOST_LANE, description="Which of an agent's threads, where it runs several."),
]


class Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a session."""

    id: Id
    tenant: Tenant = ""
    lane: Lane = ()

    @property
    def session(self) -> Session:
        """The session, without blanks around its names, as from a header."""
        return Session(self.id.strip(), self.tenant.strip() or None, self.lane)


def query_of(session: Session) -> str:
    """The query that names a session: `id=s1&tenant=acme`."""
    pairs = [("id", session.id), *([("tenant", session.tenant)] if session.tenant else [])]
    pairs += [("lane", part) for part in session.lane]
    return "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in pairs)
