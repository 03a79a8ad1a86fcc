"""Puts the qualified model name into a provider's answer; everything else stays as it came."""

import msgspec

from web import body


class Rewriter:
    """Rewrites one answer, whole or streamed."""

    def __init__(self, model_name: str | None, *, pinned: bool) -> None:
        """`model_name` None leaves the provider's own; `pinned` marks a whole answer as from a pinned session."""
        self._model = msgspec.Raw(body.encode(model_name)) if model_name else None
        self._pinned = pinned

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer; what is no JSON object is returned as it is."""
        if self._model is None and not self._pinned:
            return data
        fields = body.parsed(data)
        if fields is None:
            return data
        if self._model is not None and "model" in fields:
            fields["model"] = self._model
        if self._pinned:
            fields["x_plano_pinned"] = _TRUE
        return body.encode(fields)

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included; only data that names a model changes."""
        if self._model is None or b'"model"' not in line or not line.startswith(b"data:"):
            return line
        content = line[5:]
        fields = body.parsed(content)
        if fields is None or "model" not in fields:
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
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete by now, each with its end."""
        lines = (self._tail + data).splitlines(keepends=True) if self._tail else data.splitlines(keepends=True)
        self._tail = b""
        if lines and not lines[-1].endswith((b"\n",)) and len(lines[-1]) < self.LONGEST:
            self._tail = lines.pop()
        return lines

    def rest(self) -> bytes:
        """What came after the last line end."""
        rest, self._tail = self._tail, b""
        return rest


_TRUE = msgspec.Raw(b"true")
