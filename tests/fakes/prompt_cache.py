"""A provider's prompt cache, as honest as the real ones.

A prefix counts as cached only if that very prefix was sent to that very model and its window has not passed. The chat
and responses APIs cache by themselves; the Messages API caches what the client marks with `cache_control`, and the
longest marked prefix that it knows counts.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.wire import dumps

LEAST_TOKENS = 1024
"""A shorter prefix is not cached, as at OpenAI and Anthropic."""
_WINDOWS_S = {"5m": 300.0, "1h": 3600.0}
_BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Block:
    """A piece of a request, in the order in which a model reads them."""

    content: bytes
    mark: str | None = None
    """For how long the prefix that ends here shall be cached, where the client says so."""

    @property
    def tokens(self) -> int:
        return len(self.content) // _BYTES_A_TOKEN + 1


@dataclass(frozen=True)
class Counts:
    """The tokens of a request, each once."""

    input: int = 0
    cached: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def all(self) -> int:
        return self.input + self.cached + self.written_5m + self.written_1h


class PromptCache:
    """What each model has read lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[tuple[str, bytes], float] = {}
        self._lock = threading.Lock()
        self.window_s = _WINDOWS_S["5m"]
        """How long what is cached without a mark outlives its last use."""

    def count(self, model: str, blocks: Sequence[Block], *, marked: bool) -> Counts:
        """How the tokens of a request are billed; `marked`: only what has a mark is cached."""
        warm, last = self._warm(model, blocks), _last_mark(blocks) if marked else len(blocks)
        sizes = [block.tokens for block in blocks]
        cached, all_of_it, up_to_mark = sum(sizes[:warm]), sum(sizes), sum(sizes[:last])
        written = up_to_mark - cached if marked and up_to_mark >= LEAST_TOKENS else 0
        if written <= 0:
            return Counts(input=all_of_it - cached, cached=cached)
        fresh, is_long = all_of_it - cached - written, blocks[last - 1].mark == "1h"
        return Counts(fresh, cached, 0 if is_long else written, written if is_long else 0)

    def keep(self, model: str, blocks: Sequence[Block], *, marked: bool) -> None:
        """Note that the model has read the request."""
        now = self._clock()
        warm = self._warm(model, blocks)
        with self._lock:
            for place, tokens, digest in _prefixes(blocks):
                mark = blocks[place - 1].mark
                if tokens >= LEAST_TOKENS and (mark or not marked or place == warm):
                    window_s = _WINDOWS_S[mark] if mark and marked else self.window_s
                    known = self._ends.get((model, digest), 0.0)
                    self._ends[model, digest] = max(known, now + window_s)

    def clear(self) -> None:
        """Forget it all."""
        with self._lock:
            self._ends.clear()

    def _warm(self, model: str, blocks: Sequence[Block]) -> int:
        """How many of the first blocks the model has in its cache."""
        now = self._clock()
        with self._lock:
            known = [place for place, _, digest in _prefixes(blocks) if self._ends.get((model, digest), 0.0) > now]
        return max(known, default=0)


def blocks_of(api: str, asked: dict[str, Any]) -> list[Block]:
    """The request of an API in pieces: tools, system, conversation."""
    conversation = asked.get("input" if api == "responses" else "messages") or []
    pieces: list[Any] = [*(asked.get("tools") or [])]
    turns: list[Any] = [conversation] if isinstance(conversation, str) else conversation
    for name in ("system", "instructions"):
        said = asked.get(name) or []
        pieces += [said] if isinstance(said, str) else said
    for turn in turns:
        if api == "messages":
            said = turn["content"]
            content = [{"type": "text", "text": said}] if isinstance(said, str) else said
            pieces += [{"role": turn["role"], **block} for block in content]
        else:
            pieces.append(turn)
    return [_block(piece) for piece in pieces]


def _block(piece: Any) -> Block:
    if not isinstance(piece, dict):
        return Block(dumps(piece))
    control = piece.get("cache_control")
    mark = control.get("ttl", "5m") if control else None
    return Block(dumps({name: value for name, value in piece.items() if name != "cache_control"}), mark)


def _last_mark(blocks: Sequence[Block]) -> int:
    return max((place for place, block in enumerate(blocks, 1) if block.mark), default=0)


def _prefixes(blocks: Sequence[Block]) -> Iterator[tuple[int, int, bytes]]:
    """Each prefix: of how many blocks, how many tokens, and its digest."""
    digest, tokens = hashlib.sha256(), 0
    for place, block in enumerate(blocks, 1):
        digest.update(len(block.content).to_bytes(8) + block.content)
        tokens += block.tokens
        yield place, tokens, digest.copy().digest()
