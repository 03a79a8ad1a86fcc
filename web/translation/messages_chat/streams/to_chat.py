"""The stream of a Messages provider as chunks of chat."""

import time
from typing import Any

import msgspec

from shared.domain.money import Usage
from web.dialects import chat, messages
from web.dialects.error_table import ErrorInfo
from web.dialects.fields.usage import counted
from web.translation.checked_fields import Object, given
from web.translation.messages_chat import usage
from web.translation.messages_chat.answer import (
    MALFORMED,
    chat_id,
    explanation_of,
    finish_of,
)
from web.translation.stream_errors import ENDED_EARLY, UNREADABLE

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_DELTAS = {"text_delta": ("text", "content"), "thinking_delta": ("thinking", "reasoning_content")}
"""What a delta's text is called here, and in a chunk. Signatures and citations have no place in chat."""


class StreamToChat:
    """Makes chunks of the events of one message; one object a stream."""

    def __init__(self, request: Object, model_name: str | None = None) -> None:
        """`request` is the client's; with `model_name` None the chunks keep the provider's name."""
        options = request.get("stream_options")
        self._counts = bool(isinstance(options, dict) and options.get("include_usage"))
        self._model = model_name
        self._head: Object = {"object": "chat.completion.chunk", "created": int(time.time())}
        self._usage: Object = {}
        self._calls: dict[Any, int] = {}
        """Which call of the answer a block is, by the block's index."""
        self._silent: set[Any] = set()
        """Blocks of calls whose arguments have not begun."""
        self._ended = False
        self._finish: str | None = None
        self._readers = {
            "message_start": self._start,
            "content_block_start": self._block,
            "content_block_delta": self._delta,
            "content_block_stop": self._block_end,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._failed,
        }
        """What reads each event; others, such as `ping`, say nothing to a chat client."""

    @property
    def usage(self) -> Usage | None:
        """What the provider said that was used; None when it said nothing."""
        return counted(self._usage, messages.read_usage)

    def event(self, name: str | None, data: Object | None) -> list[bytes]:
        """What the client gets for one event of the provider."""
        return list(map(_line, self.chunks(name, data)))

    def chunks(self, name: str | None, data: Object | None) -> list[Object | None]:
        """The same, not yet encoded, for a stream that goes on to a third API; None is `[DONE]`."""
        if self._ended or data is None:
            return []
        reader = self._readers.get(str(data.get("type") or name))
        try:
            return reader(data) if reader else []
        except MALFORMED:
            return self._broken(UNREADABLE)

    def end(self) -> list[bytes]:
        """The provider's stream has ended: with an answer that is whole, or the client is told that it is not."""
        if self._ended:
            return []
        if self._finish is not None:
            return list(map(_line, self._done()))
        return self.broken(ENDED_EARLY)

    def broken(self, info: ErrorInfo) -> list[bytes]:
        """The stream broke off: the client's last event says why."""
        return [] if self._ended else list(map(_line, self._broken(info)))

    def _broken(self, info: ErrorInfo) -> list[Object | None]:
        self._ended = True
        return [_decode(chat.error(info))]

    def _start(self, data: Object) -> list[Object | None]:
        message = data["message"]
        self._usage = dict(message.get("usage") or {})
        self._head = {"id": chat_id(message.get("id")), **self._head, "model": self._model or message.get("model")}
        return [self._chunk({"role": "assistant", "content": ""})]

    def _block(self, data: Object) -> list[Object | None]:
        index, block = data["index"], data["content_block"]
        kind = block.get("type")
        if kind == "tool_use":
            return self._call(index, block)
        return [
            self._chunk({name: block[field]}) for field, name in _DELTAS.values() if kind == field and block[field]
        ]

    def _call(self, index: Any, block: Object) -> list[Object | None]:
        self._calls[index] = len(self._calls)
        at_once = _encode(block["input"]).decode() if block.get("input") else ""
        if not at_once:
            self._silent.add(index)
        function = {"name": block.get("name"), "arguments": at_once}
        return [self._call_chunk(index, id=block.get("id"), type="function", function=function)]

    def _delta(self, data: Object) -> list[Object | None]:
        index, delta = data["index"], data["delta"]
        kind = delta.get("type")
        if kind in _DELTAS:
            field, name = _DELTAS[kind]
            return [self._chunk({name: delta[field]})]
        if kind != "input_json_delta" or index not in self._calls or not delta.get("partial_json"):
            return []
        self._silent.discard(index)
        return [self._call_chunk(index, function={"arguments": delta["partial_json"]})]

    def _block_end(self, data: Object) -> list[Object | None]:
        """A call without arguments: in chat they are the JSON text of an object."""
        index = data["index"]
        if index not in self._silent:
            return []
        self._silent.discard(index)
        return [self._call_chunk(index, function={"arguments": "{}"})]

    def _message_delta(self, data: Object) -> list[Object | None]:
        self._usage |= {name: value for name, value in (data.get("usage") or {}).items() if value is not None}
        delta = data["delta"]
        if not delta.get("stop_reason"):
            return []
        self._finish = finish_of(delta["stop_reason"])
        refusal = explanation_of(delta)
        chunks = [self._chunk({"refusal": refusal})] if refusal else []
        return [*chunks, self._chunk({}, self._finish, stop_reason=delta.get("stop_sequence"))]

    def _message_stop(self, data: Object) -> list[Object | None]:  # noqa: ARG002 - a reader of events
        return self._done()

    def _failed(self, data: Object) -> list[Object | None]:
        error = data["error"]
        message = str(error.get("message") or "The provider's stream failed")
        return self._broken(ErrorInfo(status=502, message=message, type=str(error.get("type") or "api_error")))

    def _done(self) -> list[Object | None]:
        self._ended = True
        if not self._counts:
            return [None]
        return [{**self._head, "choices": [], "usage": usage.to_chat(self._usage)}, None]

    def _call_chunk(self, index: Any, **call: Any) -> Object:
        return self._chunk({"tool_calls": [{"index": self._calls[index], **call}]})

    def _chunk(self, delta: Object, finish: str | None = None, **more: Any) -> Object:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        if more:
            choice |= given(**more)
        chunk = {**self._head, "choices": [choice]}
        if self._counts:
            chunk["usage"] = None
        return chunk


def _line(chunk: Object | None) -> bytes:
    return DONE if chunk is None else b"data: " + _encode(chunk) + b"\n\n"
