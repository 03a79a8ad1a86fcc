"""The blocks of a streamed message: one is open at a time, whatever order a provider's deltas come in."""

from collections import deque
from typing import Any

import msgspec

from web.translation.checked_fields import Object

_encode = msgspec.json.Encoder().encode
_is_json = msgspec.json.Decoder(msgspec.Raw).decode
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def sse(kind: str, **fields: Any) -> bytes:
    """One event of the Messages API."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **fields}))


class Block:
    """One block that has begun. A call can be announced only when its name is known."""

    __slots__ = ("_checked", "begun", "ended", "kind", "said", "start", "waiting")

    def __init__(self, kind: str, **start: Any) -> None:
        self.kind = kind
        self.start: Object = {"type": kind, **start}
        self.waiting: list[str] = []
        """Pieces that were not passed on, as another block is open."""
        self.said: list[str] = []
        """All pieces of a call's arguments."""
        self.begun = False
        self.ended = False
        self._checked = 0
        """How many pieces were no JSON yet."""

    def whole(self) -> bool:
        """Whether nothing can follow: another block has begun behind this one, and a call's arguments are JSON."""
        if self.kind != "tool_use":
            return True
        if not self.start["name"] or len(self.said) == self._checked or not self.said[-1].rstrip().endswith("}"):
            return False
        self._checked = len(self.said)
        try:
            _is_json("".join(self.said))
        except msgspec.DecodeError:
            return False
        return True


class Blocks:
    """The blocks of one message, in the order in which they began; the first that is not whole is the open one."""

    def __init__(self) -> None:
        self._queue: deque[Block] = deque()
        self._index = 0
        self.called = False
        """Whether a tool was called."""

    def text(self, kind: str, piece: str) -> list[bytes]:
        """A piece of text, or of thinking; it belongs to the last block if that is one."""
        last = self._queue[-1] if self._queue else None
        if last is None or last.kind != kind:
            start = {"text": ""} if kind == "text" else {"thinking": "", "signature": ""}
            last = Block(kind, **start)
            return [*self.begin(last), *self.add(last, piece)]
        return self.add(last, piece)

    def begin(self, block: Block) -> list[bytes]:
        """A block begins; those before it end as soon as they are whole."""
        self._queue.append(block)
        return self.advance()

    def add(self, block: Block, piece: str) -> list[bytes]:
        """A piece of a block: passed on when it is the open one, else kept."""
        if not isinstance(piece, str):
            raise TypeError("a piece is no text")
        if block.kind == "tool_use":
            block.said.append(piece)
        if block.begun and not block.ended:  # it is the open one
            events = [self._delta(block, piece)] if piece else []
            return events + self.advance() if len(self._queue) > 1 else events
        if block.ended:  # it was whole
            return []
        block.waiting.append(piece)
        return self.advance()

    def advance(self) -> list[bytes]:
        """Opens what may be open, and closes what is whole and has others behind it."""
        events: list[bytes] = []
        while self._queue:
            events += self._open(self._queue[0])
            if len(self._queue) == 1 or not self._queue[0].whole():
                break
            events += self._close()
        return events

    def finish(self) -> list[bytes]:
        """Ends all blocks: the answer is over."""
        events: list[bytes] = []
        while self._queue:
            events += self._open(self._queue[0])
            events += self._close()
        return events

    def _open(self, block: Block) -> list[bytes]:
        events = []
        if not block.begun:
            if block.kind == "tool_use" and not block.start.get("name"):
                return []
            block.begun = True
            self.called = self.called or block.kind == "tool_use"
            events.append(sse("content_block_start", index=self._index, content_block=block.start))
        piece, block.waiting = "".join(block.waiting), []
        return [*events, self._delta(block, piece)] if piece else events

    def _delta(self, block: Block, piece: str) -> bytes:
        kind, field = _DELTAS[block.kind]
        return sse("content_block_delta", index=self._index, delta={"type": kind, field: piece})

    def _close(self) -> list[bytes]:
        block = self._queue.popleft()
        block.ended = True
        if not block.begun:  # a call that never got a name is none
            return []
        self._index += 1
        return [sse("content_block_stop", index=self._index - 1)]
