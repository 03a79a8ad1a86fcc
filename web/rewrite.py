"""Puts the qualified model name into a provider's answer; everything else stays as it came."""

import msgspec

from web import body


class Rewriter:
    """Rewrites one answer, whole or streamed."""

    def __init__(self, model_name: str | None, *, pinned: bool) -> None:
        """`model_name` None leaves the provider's own; `pinned` marks a whole answer as from a pinned session."""
        self._model = msgspec.Raw(body.encode(model_name)) if model_name else None
        self._pinned = pinned
        self.usage: msgspec.Raw | None = None
        """What the answer says it used, as it stands there; of a stream what it said last."""

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer; what is no JSON object is returned as it is."""
        untouched = self._model is None and not self._pinned
        if untouched and _USAGE not in data:
            return data
        fields = body.parsed(data)
        if fields is None:
            return data
        self.usage = fields.get("usage")
        if untouched:
            return data
        if self._model is not None and "model" in fields:
            fields["model"] = self._model
        if self._pinned:
            fields["x_plano_pinned"] = _TRUE
        return body.encode(fields)

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included; only data that names a model changes."""
        renamed = self._model is not None and b'"model"' in line
        if not (renamed or _USAGE in line) or not line.startswith(b"data:"):
            return line
        content = line[5:]
        fields = body.parsed(content)
        if fields is None:
            return line
        usage = fields.get("usage", _NULL)
        if bytes(usage) != b"null":
            self.usage = usage
        if self._model is None or "model" not in fields:
            return line
        fields["model"] = self._model
        start = content[: len(content) - len(content.lstrip(b" "))]
        end = content[len(content.rstrip(b"\r\n")) :]
        return b"data:" + start + body.encode(fields) + end


class Lines:
    """Cuts a stream into lines, whatever pieces it arrives in."""

    LONGEST = 4 * 1024 * 1024
    """A longer line is passed on unread, so that no provider can fill the memory."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []  # joined once, when its end has come: a line may come in very many pieces
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete by now, each with its end."""
        if self._tail and not self._may_end(data):
            self._keep(data)
            return []
        lines = (self.rest() + data).splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n") and len(lines[-1]) < self.LONGEST:
            self._keep(lines.pop())
        return lines

    def rest(self) -> bytes:
        """What came after the last line end."""
        rest = b"".join(self._tail)
        self._tail, self._size = [], 0
        return rest

    def _may_end(self, data: bytes) -> bool:
        """Whether the line that has begun ends in these bytes, or has become too long; or did end, in a CR."""
        ended = b"\n" in data or b"\r" in data or self._tail[-1].endswith(b"\r")
        return ended or self._size + len(data) >= self.LONGEST

    def _keep(self, piece: bytes) -> None:
        self._tail.append(piece)
        self._size += len(piece)


_TRUE = msgspec.Raw(b"true")
_NULL = msgspec.Raw(b"null")
_USAGE = b'"usage"'
