"""Reads the answer of a provider that speaks another API than the client, and says it in the client's."""

from typing import Any

import msgspec

from shared.domain.money import Usage
from web.dialects.by_path import BY_NAME
from web.dialects.error_table import ErrorInfo
from web.dialects.fields import body
from web.translation import pairs
from web.translation.checked_fields import Object

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_any = msgspec.json.Decoder(Any).decode
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_COMMENT = b": waiting for the provider\n\n"
"""A sign of life in any event stream; clients leave it out, as the HTML standard has it for server-sent events."""


class TranslatingReader:
    """As the readers of the dialects, for an answer in another API."""

    translates = True
    unread = False

    def __init__(
        self, source: str, target: str, asked: Object, model_name: str | None, *, pinned: bool, request_id: str
    ) -> None:
        """`source` is the provider's API, `target` the client's; `asked` is the client's own request."""
        self._source = source
        self._target = target
        self._asked = asked
        self._model = model_name
        self._pinned = pinned and target == pairs.CHAT
        self._request_id = request_id
        self._usage: Usage | None = None
        self._stream: pairs.Stream | None = None
        self._event: str | None = None
        self._data: list[bytes] = []
        self.silence: bytes | None = _PING if target == "messages" else _COMMENT
        """What a client is sent while its provider is silent, so that it does not give up."""

    def whole(self, data: bytes) -> bytes:
        """A complete answer in the client's API; raises UpstreamFailed when it is none."""
        try:
            said = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = {}
        fields = body.parsed(data) or {}
        if "usage" in fields:
            self._usage = BY_NAME[self._source].read_usage(fields["usage"])
        answer = pairs.answer(said, self._source, self._target, self._asked)
        if self._model is not None:
            answer["model"] = self._model
        if self._pinned:
            answer["x_plano_pinned"] = True
        return body.encode(answer)

    def line(self, line: bytes) -> bytes:
        """What the client gets when one more line of the provider's stream has come."""
        content = line.rstrip(b"\r\n")
        if not content:
            return self._dispatched()
        if content.startswith(b"data:"):
            self._data.append(content[5:].strip())
        elif content.startswith(b"event:"):
            self._event = content[6:].strip().decode("utf-8", "replace")
        return b""

    def end(self) -> bytes:
        """What the client gets when the provider's stream has ended."""
        return self._dispatched() + b"".join(self._translator.end())

    def broken(self, info: ErrorInfo) -> bytes:
        """The error as the client's API says it within a stream."""
        return b"".join(self._translator.broken(info))

    def refused(self, status: int, data: bytes) -> bytes | None:
        """A provider's error in the client's shape, in the provider's words: clients look for some of them."""
        error = _error_in(data)
        code = error.get("code")
        info = ErrorInfo(
            status=status,
            message=_text(error, "message") or _text(error, "detail") or f"The provider answered {status}",
            type=_text(error, "type") or "upstream_error",
            param=_text(error, "param"),
            code=None if code is None else str(code),
        )
        return BY_NAME[self._target].error(info, self._request_id)

    def usage(self) -> Usage | None:
        """What the provider said that was used."""
        return self._stream.usage if self._stream else self._usage

    @property
    def _translator(self) -> pairs.Stream:
        if self._stream is None:
            self._stream = pairs.stream(self._source, self._target, self._asked, self._model)
        return self._stream

    def _dispatched(self) -> bytes:
        """The client's events for the event whose lines have come."""
        name, lines = self._event, self._data
        self._event, self._data = None, []
        if not lines:
            return b""
        data = lines[0] if len(lines) == 1 else b"\n".join(lines)
        if data == pairs.DONE:
            return b"".join(self._translator.event(name, None))
        try:
            said = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return b""
        return b"".join(self._translator.event(name, said))


def _error_in(data: bytes) -> Object:
    """The error in an answer: under `error` as OpenAI has it, in an array as Gemini, or at the top as others."""
    try:
        said = _decode_any(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if isinstance(said, list) and said:
        said = said[0]
    if isinstance(said, dict):
        said = said.get("error") or said
    return said if isinstance(said, dict) else {"message": said}


def _text(error: Object, name: str) -> str | None:
    value = error.get(name)
    return value if isinstance(value, str) else None
