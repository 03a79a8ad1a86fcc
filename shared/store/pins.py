"""Pins in Redis."""

import logging
from importlib import resources

import msgspec

from shared.domain import pins as codec
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.store import keys
from shared.store.link import Link

log = logging.getLogger("plano.pins")


class PinStore:
    """Reads, settles and drops pins. Each method is one round trip and raises StoreDown."""

    def __init__(self, link: Link) -> None:
        self._link = link
        script = resources.files("shared.store").joinpath("lua/drop_if_names.lua").read_text()
        self._drop_if_names = link.client.register_script(script)

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None; a value that is no pin is dropped and counts as none."""
        value = self._link.call(self._link.client.get, keys.affinity(session))
        if value is None:
            return None
        try:
            return codec.decode(value)
        except msgspec.DecodeError:
            log.warning("dropped a value that is no pin: %s", keys.affinity(session))
            self._drop(session, "")
            return None

    def settle(self, session: Session, pin: Pin, ttl_s: int) -> Pin:
        """Pin the session unless it is pinned already; return the pin that stands."""
        key = keys.affinity(session)
        # Redis before 7 has no SET … NX GET; a transaction of both is as atomic, and one round trip too.
        with self._link.client.pipeline(transaction=True) as both:
            both.set(key, codec.encode(pin), nx=True, ex=ttl_s).get(key)
            claimed, value = self._link.call(both.execute)
        return pin if claimed else codec.decode(value)

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""
        return self._drop(session, seen.model_name)

    def _drop(self, session: Session, model_name: str) -> bool:
        return bool(self._link.call(self._drop_if_names, keys=[keys.affinity(session)], args=[model_name]))
