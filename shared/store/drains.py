"""Models that operators drain, as all processes see them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import redis

from shared.domain.availability.drains import KEPT_S, Drain
from shared.errors import StoreDown
from shared.store import keys
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder

LOOK_EVERY_S = 0.5
"""How often a process reads the drains. A request uses what was read last."""


class DrainStore:
    """Begins and ends drains; each method is one round trip and raises StoreDown."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._decoder = Decoder(msgspec.json.Decoder(Drain).decode, unreadable)

    def known(self, models: Sequence[str]) -> dict[str, Drain]:
        """The drains of those models that are drained."""
        if not models:
            return {}
        values: Any = self._redis.mget([keys.drain(name) for name in models])
        read = (
            (name, self._decoder.read(keys.drain(name), value)) for name, value in zip(models, values, strict=True)
        )
        return {name: drain for name, drain in read if drain}

    def begin(self, model: str, drain: Drain, ttl_s: int = KEPT_S) -> None:
        """Drain a model, for so many seconds at most; a drain that stands is replaced."""
        self._redis.set(keys.drain(model), msgspec.json.encode(drain), ex=ttl_s)

    def end(self, model: str) -> bool:
        """End the drain of a model; return whether there was one."""
        return bool(self._redis.delete(keys.drain(model)))


class Drains(Protocol):
    """Knows which models are drained; may raise StoreDown."""

    def known(self, models: Sequence[str]) -> dict[str, Drain]:
        """The drains of those models that are drained."""


class RecentDrains:
    """The drains as `look` read them last, so that no request need ask Redis."""

    def __init__(self, store: Drains, models: Sequence[str]) -> None:
        """`models` are those whose drains are read: every configured one."""
        self._store = store
        self._models = tuple(models)
        self.known: Mapping[str, Drain] = {}
        """The models that are drained. While Redis is away, those that were so last."""

    def look(self) -> None:
        """Read the drains of all models."""
        try:
            self.known = self._store.known(self._models)
        except StoreDown:
            return
