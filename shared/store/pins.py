"""Pins in Redis."""

import time
from typing import Any

import redis

from shared.domain import pins as codec
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder


class PinStore:
    """Reads, settles and drops pins. Each method is one round trip and raises StoreDown."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        renewed_ttl_s: int | None = None,
        notes_use: bool = False,
        unreadable: Unreadable | None = None,
    ) -> None:
        """With `renewed_ttl_s`, reading a pin renews its ttl, to so many seconds unless the pin says its own.

        With `notes_use`, reading a pin notes when it was used, in a pin that says so.
        """
        self._redis = client
        self._decoder = Decoder(codec.decode, unreadable)
        self._renewed_ttl_s = renewed_ttl_s or 0
        self._reads_only = not (renewed_ttl_s or notes_use)
        self._drop_if_names = client.register_script(scripts.read("drop_if_names.lua"))
        self._drop_if_same = client.register_script(scripts.read("drop_if_same.lua"))
        self._move = client.register_script(scripts.read("move.lua"))
        self._renew = client.register_script(scripts.read("renew.lua"))

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None. A value that is no pin is dropped, and the answer is None."""
        key = keys.affinity(session)
        try:
            reads_only = self._reads_only and not session.is_implicit
            value = self._redis.get(key) if reads_only else self._renew([key], [self._renewed_ttl_s])
        except WrongType as error:
            self._without(key, error)
            return None
        return self._read(key, value)

    def settle(self, session: Session, pin: Pin, ttl_s: int, seen: Pin | None = None) -> Pin:
        """Pin the session unless it is pinned already, to another model than the `seen` one; return what stands.

        With `seen` it is one round trip more if that pin has expired meanwhile.
        """
        key = keys.affinity(session)
        ttl_s = codec.left_s(pin, ttl_s, time.time())
        replaced = self._moved(session, seen, pin, ttl_s) if seen else None
        if replaced:
            return replaced
        # The second try is for a key whose value was no pin: the first one has dropped it.
        standing = self._claimed(key, pin, ttl_s) or self._claimed(key, pin, ttl_s)
        if standing is None:
            raise StoreDown(f"something that is no pin keeps being written to {key}")
        return standing

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards.

        A pin that is held stands, unless the `seen` one was.
        """
        return self._moved(session, seen, to, to.ttl_s)

    def _moved(self, session: Session, seen: Pin, to: Pin, ttl_s: int | None) -> Pin | None:
        key = keys.affinity(session)
        left_s = codec.left_s(to, ttl_s, time.time()) if ttl_s else 0
        try:
            return self._read(key, self._move([key], [seen.model_name, codec.encode(to), left_s, int(seen.held)]))
        except WrongType as error:
            self._without(key, error)
            return None

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""
        key = keys.affinity(session)
        try:
            return bool(self._drop_if_names([key], [seen.model_name]))
        except WrongType as error:
            self._without(key, error)
            return False

    def _claimed(self, key: str, pin: Pin, ttl_s: int) -> Pin | None:
        # Redis before 7 has no SET … NX GET. A transaction of both commands is as atomic, and one round trip, too.
        with self._redis.pipeline() as together:
            together.set(key, codec.encode(pin), nx=True, ex=ttl_s)
            together.get(key)
            try:
                claimed, value = together.execute()
            except WrongType as error:
                self._without(key, error)
                return None
        return pin if claimed else self._read(key, value)

    def _read(self, key: str, value: Any) -> Pin | None:
        """The pin in a value, or None. A value that is no pin is dropped."""
        pin = self._decoder.read(key, value)
        if pin is None and value is not None:
            self._drop_if_same([key], [value])
        return pin

    def _without(self, key: str, why: WrongType) -> None:
        """Drop a key that holds something else than a string: there is no pin."""
        self._decoder.unreadable.note(key, why)
        self._drop_if_same([key], [])
