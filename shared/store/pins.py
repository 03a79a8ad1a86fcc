"""Pins in Redis."""

import logging
from importlib import resources
from typing import Any, cast

import msgspec
import redis

from shared.domain import pins as codec
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.store import keys
from shared.store.link import Link
from shared.store.pipe import Pipe

log = logging.getLogger("plano.pins")


class PinStore:
    """Reads, settles and drops pins. Each method is one round trip and raises StoreDown."""

    def __init__(self, link: Link, pipe: Pipe | None = None, *, sliding_ttl_s: int | None = None) -> None:
        """Every request reads, so reads have a pipe to themselves; without one they take turns like the rest.

        With `sliding_ttl_s` reading a pin renews it.
        """
        self._link = link
        self._pipe = pipe
        self._sliding_ttl_s = sliding_ttl_s
        scripts = resources.files("shared.store").joinpath("lua")
        register = link.client.register_script
        self._drop_if_names = register(scripts.joinpath("drop_if_names.lua").read_text())
        self._drop_if_same = register(scripts.joinpath("drop_if_same.lua").read_text())
        self._move = register(scripts.joinpath("move.lua").read_text())
        self._renew = register(scripts.joinpath("renew.lua").read_text())

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None; a value that is no pin is dropped and counts as none."""
        key = keys.affinity(session)
        if self._sliding_ttl_s:
            return self._read(key, self._link.guard(self._renewed, key, self._sliding_ttl_s))
        if self._pipe:
            return self._read(key, self._link.guard(self._pipe.ask, "GET", key))
        return self._read(key, cast(bytes | None, self._link.call(self._link.client.get, key)))

    def settle(self, session: Session, pin: Pin, ttl_s: int) -> Pin:
        """Pin the session unless it is pinned already; return the pin that stands."""
        key = keys.affinity(session)
        # The second time is for a key that held no pin: reading it has dropped what it held.
        standing = self._claimed(key, pin, ttl_s) or self._claimed(key, pin, ttl_s)
        if standing is None:
            raise StoreDown(f"something that is no pin keeps being written to {key}")
        return standing

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards."""
        key = keys.affinity(session)
        return self._read(key, self._link.call(self._move, keys=[key], args=[seen.model_name, codec.encode(to)]))

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""
        return bool(self._link.call(self._drop_if_names, keys=[keys.affinity(session)], args=[seen.model_name]))

    def peek(self, session: Session) -> tuple[Pin, int] | None:
        """The session's pin and its ttl in seconds, untouched; None when there is none, or what is there is none."""
        return self._seen(keys.affinity(session))

    def page(self, cursor: int, count: int) -> tuple[int, dict[str, tuple[Pin, int]]]:
        """About `count` pins by key, each with its ttl, from the cursor on; and the next cursor, 0 at the end."""
        found: Any = self._link.call(self._link.client.scan, cursor, match=f"{keys.AFFINITY}*", count=count)
        after, names = found
        seen = {name.decode(): self._seen(name.decode()) for name in names}
        return after, {name: known for name, known in seen.items() if known}

    def put(self, session: Session, pin: Pin, ttl_s: int) -> None:
        """Pin the session to this, whatever stands."""
        self._link.call(self._link.client.set, keys.affinity(session), codec.encode(pin), ex=ttl_s)

    def _seen(self, key: str) -> tuple[Pin, int] | None:
        with self._link.client.pipeline(transaction=True) as both:
            both.get(key)
            both.ttl(key)
            value, ttl_s = self._link.call(both.execute)
        try:
            return (codec.decode(value), ttl_s) if value else None
        except msgspec.DecodeError:
            return None

    def _renewed(self, key: str, ttl_s: int) -> bytes | None:
        if self._pipe is None:
            return cast(bytes | None, self._renew(keys=[key], args=[ttl_s]))
        try:
            return cast(bytes | None, self._pipe.ask("EVALSHA", self._renew.sha, "1", key, str(ttl_s)))
        except redis.exceptions.NoScriptError:  # Redis has started anew since
            return cast(bytes | None, self._pipe.ask("EVAL", str(self._renew.script), "1", key, str(ttl_s)))

    def _claimed(self, key: str, pin: Pin, ttl_s: int) -> Pin | None:
        # Redis before 7 has no SET … NX GET; a transaction of both is as atomic, and one round trip too.
        with self._link.client.pipeline(transaction=True) as both:
            both.set(key, codec.encode(pin), nx=True, ex=ttl_s)
            both.get(key)
            claimed, value = self._link.call(both.execute)
        return pin if claimed else self._read(key, value)

    def _read(self, key: str, value: bytes | None) -> Pin | None:
        """The pin in a value; None when there is none in it, and then the value is dropped."""
        if value is None:
            return None
        try:
            return codec.decode(value)
        except msgspec.DecodeError:
            log.warning("dropped a value that is no pin: %s", key)
            self._link.call(self._drop_if_same, keys=[key], args=[value])
            return None
