"""The items of a streamed Response while they grow.

A block that is not yet its turn keeps what it gains, and tells it when it begins.
"""

from collections.abc import Iterator

import msgspec

from web.translation.checked_fields import Object
from web.translation.responses_chat import carried_reasoning, response
from web.translation.responses_chat.names import Tool

Told = tuple[str, Object]
"""The type of an event with its fields."""


class TextBlock:
    """A message with one part, or reasoning: it grows until something else comes."""

    whole = True
    """Whether it may be closed as soon as another block begins."""

    def __init__(self, kind: str, item_id: str) -> None:
        self.kind = kind
        self._id = item_id
        self._pieces: list[str] = []
        self._logprobs: list[Object] = []
        self._place: Object = {}

    def begin(self, index: int) -> Iterator[Told]:
        """The events of its beginning, and of what it has gained so far."""
        inside = {"item_id": self._id, "output_index": index}
        if self.kind == "reasoning":
            self._place = {**inside, "summary_index": 0}
            item, part, added = (
                {**self._item(""), "summary": []},
                _summary(""),
                "response.reasoning_summary_part.added",
            )
        else:
            self._place = {**inside, "content_index": 0}
            item = {**self._item("", "in_progress"), "content": []}
            part, added = self._part("", []), "response.content_part.added"
        yield "response.output_item.added", {"output_index": index, "item": item}
        yield added, {**self._place, "part": part}
        if self._pieces:
            yield self._delta("".join(self._pieces), self._logprobs)

    def grow(self, text: str, logprobs: list[Object], *, live: bool) -> Iterator[Told]:
        """Takes a piece of text, and tells it where the block has begun."""
        self._pieces.append(text)
        self._logprobs += logprobs
        if live:
            yield self._delta(text, logprobs)

    def close(self, status: str, closed: list[Object]) -> Iterator[Told]:
        """The events of its end; its item, finished, is put to `closed`."""
        text = "".join(self._pieces)
        item, place = self._item(text, status), self._place
        if self.kind == "reasoning":
            yield "response.reasoning_summary_text.done", {**place, "text": text}
            yield "response.reasoning_summary_part.done", {**place, "part": _summary(text)}
        else:
            part = self._part(text, self._logprobs)
            if self.kind == "text":
                yield "response.output_text.done", {**place, "text": text, "logprobs": self._logprobs}
            else:
                yield "response.refusal.done", {**place, "refusal": text}
            yield "response.content_part.done", {**place, "part": part}
        yield "response.output_item.done", {"output_index": place["output_index"], "item": item}
        closed.append(item)

    def _delta(self, text: str, logprobs: list[Object]) -> Told:
        if self.kind == "text":
            return "response.output_text.delta", {**self._place, "delta": text, "logprobs": logprobs}
        name = "reasoning_summary_text" if self.kind == "reasoning" else "refusal"
        return f"response.{name}.delta", {**self._place, "delta": text}

    def _part(self, text: str, logprobs: list[Object]) -> Object:
        return response.text_part(text, [], logprobs) if self.kind == "text" else response.refusal_part(text)

    def _item(self, text: str, status: str = "completed") -> Object:
        if self.kind == "reasoning":
            return carried_reasoning.reasoning(self._id, text)
        return response.message(self._id, self._part(text, self._logprobs), status)


def _summary(text: str) -> Object:
    return {"type": "summary_text", "text": text}


class CallBlock:
    """A call of a tool. The pieces of several calls may come interleaved, so it is whole when its arguments are."""

    kind = "call"

    def __init__(self, item_id: str, call_id: str, tool: Tool) -> None:
        self.call_id = call_id
        self._id = item_id
        self._tool = tool
        self._pieces: list[str] = []
        self._place: Object = {}

    @property
    def whole(self) -> bool:
        """Whether its arguments are valid JSON: nothing more can come then."""
        try:
            msgspec.json.decode("".join(self._pieces), type=dict)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def begin(self, index: int) -> Iterator[Told]:
        """The events of its beginning, and of the arguments that came so far."""
        self._place = {"item_id": self._id, "output_index": index}
        yield "response.output_item.added", {"output_index": index, "item": self._item("", "in_progress")}
        if self._pieces and self._tool.kind == "function":
            yield self._delta("".join(self._pieces))

    def grow(self, arguments: str, *, live: bool) -> Iterator[Told]:
        """Takes a piece of the arguments. Free text is told at the end: until then it stands in JSON."""
        self._pieces.append(arguments)
        if live and self._tool.kind == "function":
            yield self._delta(arguments)

    def close(self, status: str, closed: list[Object]) -> Iterator[Told]:
        """The events of its end; its item, finished, is put to `closed`."""
        arguments = "".join(self._pieces)
        if not arguments and self._tool.kind == "function":
            arguments = "{}"  # some providers send nothing for a call without arguments
            yield self._delta(arguments)
        item = self._item(arguments, status)
        if self._tool.kind == "function":
            yield "response.function_call_arguments.done", {**self._place, "arguments": arguments}
        elif self._tool.kind == "custom":
            yield "response.custom_tool_call_input.delta", {**self._place, "delta": item["input"]}
            yield "response.custom_tool_call_input.done", {**self._place, "input": item["input"]}
        yield "response.output_item.done", {"output_index": self._place["output_index"], "item": item}
        closed.append(item)

    def _delta(self, arguments: str) -> Told:
        return "response.function_call_arguments.delta", {**self._place, "delta": arguments}

    def _item(self, arguments: str, status: str) -> Object:
        return response.call(self._id, self.call_id, self._tool, arguments, status)


class CarrierBlock:
    """Reasoning that cannot be read: it is told at once."""

    kind = "carrier"
    whole = True

    def __init__(self, item: Object) -> None:
        self._item = item
        self._index = 0

    def begin(self, index: int) -> Iterator[Told]:
        """The event of its beginning."""
        self._index = index
        yield "response.output_item.added", {"output_index": index, "item": self._item}

    def close(self, status: str, closed: list[Object]) -> Iterator[Told]:  # noqa: ARG002 - reasoning has no status
        """The event of its end."""
        yield "response.output_item.done", {"output_index": self._index, "item": self._item}
        closed.append(self._item)


Block = TextBlock | CallBlock | CarrierBlock


class Blocks:
    """The blocks of one answer, told strictly one after the other."""

    def __init__(self) -> None:
        self.closed: list[Object] = []
        """The items that are finished."""
        self.count = 0
        self._live: Block | None = None
        self._waiting: list[Block] = []

    @property
    def last(self) -> Block | None:
        return self._waiting[-1] if self._waiting else self._live

    def append(self, block: Block) -> Iterator[Told]:
        """Takes the next block; it begins at once where the one before it is whole."""
        self.count += 1
        self._waiting.append(block)
        while self._waiting and (self._live is None or self._live.whole):
            yield from self._advance("completed")

    def text(self, block: TextBlock, text: str, logprobs: list[Object]) -> Iterator[Told]:
        return block.grow(text, logprobs, live=block is self._live)

    def arguments(self, block: CallBlock, arguments: str) -> Iterator[Told]:
        return block.grow(arguments, live=block is self._live)

    def finish(self, status: str) -> Iterator[Told]:
        """Tells what waits, and closes everything; the last block takes the answer's status."""
        while self._waiting:
            yield from self._advance("completed")
        if self._live is not None:
            yield from self._live.close(status, self.closed)
            self._live = None

    def _advance(self, status: str) -> Iterator[Told]:
        if self._live is not None:
            yield from self._live.close(status, self.closed)
        self._live = self._waiting.pop(0)
        yield from self._live.begin(len(self.closed))
