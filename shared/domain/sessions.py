"""The session that a request belongs to."""

import msgspec

from shared.errors import BadRequest

MAX_LENGTH = 256
IMPLICIT = "implicit."
"""How the id of a session begins that nobody has named."""


class Session(msgspec.Struct, frozen=True):
    """A client's conversation, scoped to a tenant where there is one."""

    id: str
    tenant: str | None = None
    lane: tuple[str, ...] = ()
    """Which of the threads that an agent runs under one id; each has a pin of its own."""

    @property
    def is_implicit(self) -> bool:
        """Whether nobody has named it; no header can name such a one, as its sessions have no lane."""
        return bool(self.lane) and self.id.startswith(IMPLICIT)


def identifier(value: str, *, header: str) -> str | None:
    """A session or tenant id as the client meant it; None when it is blank.

    Raises BadRequest when it is longer than 256 characters or holds control characters.
    """
    text = value.strip(" \t")  # only what HTTP strips: as Latin-1, a byte of UTF-8 may look like white space
    if not text.isascii():
        text = _decoded(text)
    if not (text.isascii() and text.isprintable()) and any(map(_is_control, text)):
        raise BadRequest(f"{header} holds a control character; send printable text", param=header)
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"{header} has {len(text)} characters; at most {MAX_LENGTH} are allowed", param=header)
    return text or None


def _decoded(text: str) -> str:
    """Header bytes reach WSGI as Latin-1 (PEP 3333); clients write UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f"
