"""The stream of a chat provider as events of the Messages API."""

from typing import Any

from shared.domain.money import Usage
from web.dialects import chat
from web.dialects.error_table import ErrorInfo
from web.dialects.fields.usage import counted
from web.dialects.messages import ERROR_TYPES
from web.translation.checked_fields import Object
from web.translation.messages_chat import usage
from web.translation.messages_chat.answer import (
    MALFORMED,
    made_id,
    message_id,
    refused,
    stop_of,
    text_of,
)
from web.translation.messages_chat.carried_reasoning import carrier_of
from web.translation.messages_chat.streams.blocks import Block, Blocks, sse
from web.translation.stream_errors import ENDED_EARLY, UNREADABLE

PING = sse("ping")
"""What a client that waits may be sent at any time, so that it does not give up."""

_FAILED = 502


class StreamFromChat:
    """Makes events of the chunks of one completion; one object a stream."""

    def __init__(self, request: Object, model_name: str | None = None) -> None:  # noqa: ARG002 - as in each pair of APIs
        """`request` is the client's; with `model_name` None the message keeps the provider's name."""
        self._model = model_name
        self._blocks = Blocks()
        self._calls: dict[Any, Block] = {}
        self._last_call: Block | None = None
        self._id = ""
        self._usage: Object | None = None
        self._choice: Object = {}
        """The choice that had a `finish_reason`."""
        self._refusal: list[str] = []
        self._started = False
        self._ended = False

    @property
    def usage(self) -> Usage | None:
        """What the provider said that was used; None when it said nothing."""
        return counted(self._usage, chat.read_usage)

    def event(self, name: str | None, data: Object | None) -> list[bytes]:  # noqa: ARG002 - chat does not name its events
        """What the client gets for one event of the provider; `data` is None for `[DONE]`."""
        if self._ended:
            return []
        if data is None:
            return self._finish()
        try:
            return self._chunk(data)
        except MALFORMED:
            return self.broken(UNREADABLE)

    def _chunk(self, data: Object) -> list[bytes]:
        if data.get("error"):
            return self._provider_error(data["error"])
        events = [] if self._started else self._start(data)
        if isinstance(data.get("usage"), dict):
            self._usage = data["usage"]
        for choice in data.get("choices") or ():
            if not choice.get("index"):
                events += self._read(choice)
        return events

    def end(self) -> list[bytes]:
        """The provider's stream has ended: with an answer that is whole, or the client is told that it is not."""
        if self._ended:
            return []
        if self._choice:
            return self._finish()
        return self.broken(ENDED_EARLY)

    def broken(self, info: ErrorInfo) -> list[bytes]:
        """The stream broke off: the client's last event says why."""
        if self._ended:
            return []
        self._ended = True
        return [sse("error", error={"type": ERROR_TYPES.get(info.status, "api_error"), "message": info.message})]

    def _start(self, data: Object) -> list[bytes]:
        self._started = True
        self._id = message_id(data.get("id"))
        message: Object = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model or data.get("model") or "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage.from_chat(data.get("usage")),
        }
        return [sse("message_start", message=message)]

    def _read(self, choice: Object) -> list[bytes]:
        delta = choice.get("delta") or {}
        events: list[bytes] = []
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")
        if thoughts and isinstance(thoughts, str):
            events += self._blocks.text("thinking", thoughts)
        content = delta.get("content")
        said = content if isinstance(content, str) else text_of(content)
        if said:
            events += self._blocks.text("text", said)
        if delta.get("refusal"):
            events += self._blocks.text("text", delta["refusal"])
            self._refusal.append(delta["refusal"])
        for call in delta.get("tool_calls") or ():
            events += self._call(call)
        if choice.get("finish_reason"):
            self._choice = choice
        return events

    def _call(self, delta: Object) -> list[bytes]:
        function, events = delta.get("function") or {}, []
        block = self._known(delta)
        if block is None:
            block = Block(
                "tool_use",
                id=delta.get("id") or made_id(self._id, len(self._calls)),
                name=function.get("name"),
                input={},
            )
            self._calls[delta.get("index")] = self._last_call = block
            carrier = carrier_of(delta)
            events = self._blocks.begin(Block(carrier["type"], data=carrier["data"])) if carrier else []
            events += self._blocks.begin(block)
        elif not block.start["name"]:
            block.start["name"] = function.get("name")
        arguments = function.get("arguments")
        return events + self._blocks.add(block, arguments) if arguments else events

    def _known(self, delta: Object) -> Block | None:
        """The call that a delta continues. Some providers number all calls alike, or none: then the id tells."""
        block = self._last_call if delta.get("index") is None else self._calls.get(delta["index"])
        begins = delta.get("id") and (delta.get("function") or {}).get("name")
        return None if block is None or (begins and delta["id"] != block.start["id"]) else block

    def _finish(self) -> list[bytes]:
        """`[DONE]`, or the end of a stream that forgot it."""
        events = [] if self._started else self._start({})
        events += self._blocks.finish()
        self._ended = True
        stop = stop_of(self._choice, called=self._blocks.called)
        if self._refusal:
            stop = refused("".join(self._refusal))
        return [*events, sse("message_delta", delta=stop, usage=usage.from_chat(self._usage)), sse("message_stop")]

    def _provider_error(self, error: Any) -> list[bytes]:
        said = error if isinstance(error, dict) else {"message": error}
        code = said.get("code")
        status = code if isinstance(code, int) else _FAILED
        message = str(said.get("message") or "The provider's stream failed")
        return self.broken(ErrorInfo(status=status, message=message, type=str(said.get("type") or "api_error")))
