"""Pins as an operator sees and changes them: whatever stands under a pin's key, readable or not."""

import time
from collections.abc import Callable, Iterator, Sequence

import redis

from shared.domain import pins as codec
from shared.domain.pins import Held, Pin
from shared.store import keys, scripts
from shared.store.decoding.values import Decoder
from shared.store.sessions.key_walk import KeyWalk


class PinAdmin:
    """Lists, shows, writes and removes pins. Every method raises StoreDown."""

    def __init__(self, client: redis.Redis, pause: Callable[[float], object] = time.sleep) -> None:
        self._redis = client
        self._walk = KeyWalk(client, pause)
        self._decoder = Decoder(codec.decode)
        self._move = client.register_script(scripts.read("move.lua"))

    def page(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[Held]]:
        """The pins among about `count` keys, from the cursor on; and the next cursor, 0 at the end.

        `match` is a pattern for what follows in their keys, as `keys.matching` makes it.
        """
        after, names = self._walk.page(keys.AFFINITY + match, cursor, count)
        return after, self.under(names)

    def under(self, names: Sequence[bytes]) -> list[Held]:
        """What stands under those of the keys that are there; changes nothing."""
        return [held for some in self._walk.steps(names) for held in self._held(some)]

    def peek(self, key: bytes) -> Held | None:
        """What stands under a key, or None; changes nothing."""
        return next(self._held([key]), None)

    def replace(self, key: bytes, seen: Pin, to: Pin) -> bool:
        """Put a pin in the place of the seen one, if its model still stands there; its ttl stays."""
        return bool(self._move([key], [seen.model_name, codec.encode(to), 0, int(seen.held)]) == codec.encode(to))

    def put(self, key: bytes, pin: Pin, ttl_s: int) -> None:
        """Put a pin there, in place of whatever stands there."""
        self._redis.set(key, codec.encode(pin), ex=ttl_s)

    def remove(self, key: bytes) -> bool:
        """Remove whatever stands there; return whether there was something."""
        return bool(self._redis.unlink(key))

    def _held(self, names: Sequence[bytes]) -> Iterator[Held]:
        with self._redis.pipeline(transaction=False) as together:
            together.mget(names)  # nothing for another type than a string, and no error
            for name in names:
                together.ttl(name)
            values, *ttls = together.execute()
        others = self._types([name for name, value in zip(names, values, strict=True) if value is None])
        for name, value, ttl_s in zip(names, values, ttls, strict=True):
            kind = others.get(name, "string")
            if kind != "none":  # otherwise it has ended meanwhile
                shown = name.decode("utf-8", "backslashreplace")
                yield Held(key=name, pin=self._decoder.read(shown, value), ttl_s=ttl_s, kind=kind)

    def _types(self, names: Sequence[bytes]) -> dict[bytes, str]:
        """What these keys hold: `list`, `hash`, … or `none`."""
        if not names:
            return {}
        with self._redis.pipeline(transaction=False) as together:
            for name in names:
                together.type(name)
            return {name: kind.decode() for name, kind in zip(names, together.execute(), strict=True)}
