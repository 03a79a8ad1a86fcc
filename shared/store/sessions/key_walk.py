"""Walks over the keys of many sessions: after each step others have Redis and this process for as long as it took."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis

AT_ONCE = 100
"""What stands under so many keys is read in one step."""


class KeyWalk:
    """Finds keys, and deals them out."""

    def __init__(self, client: redis.Redis, pause: Callable[[float], object] = time.sleep) -> None:
        self._redis = client
        self._pause = pause

    def page(self, pattern: str, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The keys that fit among about `count`, from the cursor on; and the next cursor, 0 at the end.

        Raises StoreDown.
        """
        began_at = time.monotonic()
        answer: Any = self._redis.scan(cursor, match=pattern, count=count)
        self._pause(time.monotonic() - began_at)
        after, names = answer
        return int(after), names

    def steps(self, names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        """The keys, some at a time; few of them are one step, and nothing follows it for which others would wait."""
        for begin in range(0, len(names), AT_ONCE):
            began_at = time.monotonic()
            yield names[begin : begin + AT_ONCE]
            if len(names) > AT_ONCE:
                self._pause(time.monotonic() - began_at)
