"""The stream of a Responses provider as that of chat."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from shared.domain.money import Usage
from web.dialects import chat
from web.dialects.error_table import ErrorInfo
from web.dialects.fields.usage import counted
from web.translation.checked_fields import Object
from web.translation.responses_chat.answer import (
    call_to_chat,
    completion_id,
    created_at,
    finish_reason,
    thought_of,
)
from web.translation.responses_chat.lenient_fields import dicts, error_of, said
from web.translation.responses_chat.usage import usage_to_chat
from web.translation.stream_errors import ENDED_EARLY, UNREADABLE

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"
_BETWEEN = "\n\n"
"""Between two messages of one answer, and between two parts of a summary."""


class StreamToChat:
    """Takes the events of a Responses provider's stream, gives those of a chat client's."""

    def __init__(self, request: Object, model_name: str | None = None) -> None:
        """`request` is the client's; with `model_name` None the answer has the provider's name of it."""
        options = request.get("stream_options")
        self._with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        self._model = model_name
        self._head: Object = {}
        self._usage: Object | None = None
        self._calls: dict[Any, int] = {}
        """The index of each call in chat, by the index of its item."""
        self._told: set[Any] = set()
        """Indexes of items of which some piece has been told."""
        self._texts: dict[str, Any] = {}
        """The item that `content` and `reasoning_content` come from."""
        self._over = False
        self._readers: dict[str, Callable[[Object], Iterator[Any]]] = {
            "response.created": self._created,
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._refusal,
            "response.reasoning_summary_text.delta": self._thought,
            "response.reasoning_text.delta": self._thought,
            "response.output_item.added": self._added,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._input,
            "response.output_item.done": self._done,
            "response.completed": self._ended,
            "response.incomplete": self._ended,
            "response.failed": self._failed,
            "error": self._failed,
        }
        """What reads each event; the others say nothing to a chat client."""

    @property
    def usage(self) -> Usage | None:
        """What the answer said it used."""
        return counted(self._usage, chat.read_usage)

    def event(self, name: str | None, data: Object | None) -> list[bytes]:
        """The client's events for one of the provider's."""
        return [_DONE if chunk is None else b"data: %b\n\n" % _encode(chunk) for chunk in self.chunks(name, data)]

    def chunks(self, name: str | None, data: Object | None) -> list[Object | None]:
        """The same, not yet encoded, for a stream that goes on to a third API; None is `[DONE]`."""
        if self._over or data is None:
            return []
        read = self._readers.get(str(data.get("type") or name))
        try:
            return [] if read is None else list(read(data))
        except (AttributeError, KeyError, TypeError):
            return self._error(UNREADABLE)

    def end(self) -> list[bytes]:
        """The events that are due when the provider's stream has ended."""
        return self.broken(ENDED_EARLY)

    def broken(self, info: ErrorInfo) -> list[bytes]:
        """The event that says that the stream broke off."""
        return [] if self._over else [b"data: %b\n\n" % _encode(chunk) for chunk in self._error(info)]

    def _error(self, info: ErrorInfo) -> list[Object | None]:
        self._over = True
        return [msgspec.json.decode(chat.error(info))]

    def _failed(self, data: Object) -> Iterator[Object | None]:
        answer = data.get("response")
        told = answer.get("error") if isinstance(answer, dict) else data.get("error")
        yield from self._error(error_of(told or {"code": data.get("code"), "message": data.get("message")}))

    def _created(self, data: Object) -> Iterator[Object]:
        if self._head:
            return
        answer = data.get("response")
        answer = answer if isinstance(answer, dict) else {}
        self._head = {
            "id": completion_id(answer),
            "object": "chat.completion.chunk",
            "created": created_at(answer),
            "model": self._model or str(answer.get("model")),
        }
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _text(self, data: Object) -> Iterator[Object]:
        probabilities = dicts(data.get("logprobs"))
        yield from self._piece("content", data, said(data.get("delta")), probabilities)

    def _refusal(self, data: Object) -> Iterator[Object]:
        self._told.add(data.get("output_index"))
        yield self._chunk({"refusal": said(data.get("delta"))})

    def _thought(self, data: Object) -> Iterator[Object]:
        part = (data.get("output_index"), data.get("summary_index"), data.get("content_index"))
        yield from self._piece("reasoning_content", data, said(data.get("delta")), place=part)

    def _piece(
        self, field: str, data: Object, text: str, probabilities: list[Object] | None = None, place: Any = None
    ) -> Iterator[Object]:
        item = data.get("output_index")
        place = item if place is None else place
        if self._texts.setdefault(field, place) != place:
            self._texts[field] = place
            yield self._chunk({field: _BETWEEN})
        self._told.add(item)
        yield self._chunk({field: text}, probabilities)

    def _added(self, data: Object) -> Iterator[Object]:
        call = call_to_chat(_item(data))
        if call is not None:
            index = self._calls[data.get("output_index")] = len(self._calls)
            kind, told = ("custom", "input") if call["type"] == "custom" else ("function", "arguments")
            if call[kind][told]:
                self._told.add(data.get("output_index"))
            yield self._chunk({"tool_calls": [{"index": index, **call}]})

    def _arguments(self, data: Object) -> Iterator[Object]:
        yield from self._called(data, "function", "arguments")

    def _input(self, data: Object) -> Iterator[Object]:
        yield from self._called(data, "custom", "input")

    def _called(self, data: Object, kind: str, told: str) -> Iterator[Object]:
        index = self._calls.get(data.get("output_index"))
        if index is not None:
            self._told.add(data.get("output_index"))
            yield self._chunk({"tool_calls": [{"index": index, kind: {told: said(data.get("delta"))}}]})

    def _done(self, data: Object) -> Iterator[Object]:
        """A finished item: of one that was not told in pieces, all of it."""
        item, place = _item(data), data.get("output_index")
        if place in self._told:
            return
        call = call_to_chat(item)
        if call is not None:
            index = self._calls.setdefault(place, len(self._calls))
            yield self._chunk({"tool_calls": [{"index": index, **call}]})
        for part in dicts(item.get("content")) if item.get("type") == "message" else ():
            if text := said(part.get("text")):
                yield from self._piece("content", data, text)
            elif refusal := said(part.get("refusal")):
                yield self._chunk({"refusal": refusal})
        if thought := thought_of(item):
            yield from self._piece("reasoning_content", data, thought)

    def _ended(self, data: Object) -> Iterator[Object | None]:
        answer = data.get("response")
        answer = answer if isinstance(answer, dict) else {}
        yield from self._created(data)
        self._over = True
        self._usage = usage_to_chat(answer.get("usage"))
        yield self._chunk({}, reason=finish_reason(answer, called=bool(self._calls)))
        if self._with_usage and self._usage is not None:
            yield {**self._head, "choices": [], "usage": self._usage}
        yield None

    def _chunk(self, delta: Object, probabilities: list[Object] | None = None, reason: str | None = None) -> Object:
        logprobs = {"content": probabilities, "refusal": None} if probabilities else None
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._head, "choices": [choice]}
        return {**chunk, "usage": None} if self._with_usage else chunk


def _item(data: Object) -> Object:
    item = data.get("item")
    return item if isinstance(item, dict) else {}
