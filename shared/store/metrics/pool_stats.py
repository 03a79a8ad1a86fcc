"""What the pool has done in each minute, as all replicas together have counted it."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from shared.domain.pool_stats import KEPT_S, Sums
from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable

_WHOLE = frozenset(field.name for field in msgspec.structs.fields(Sums) if field.type is int)


class StatsStore:
    """Adds to minutes and reads them; each method is one round trip and raises StoreDown."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._unreadable = unreadable or Unreadable()

    def add(self, minute: int, sums: Sums) -> None:
        """Add to a minute, which is counted from the epoch."""
        key = keys.stats(minute)
        try:
            self._add(key, sums)
        except WrongType as error:  # the minute begins anew
            self._unreadable.note(key, error)
            self._redis.delete(key)
            self._add(key, sums)

    def read(self, minutes: Sequence[int]) -> dict[int, Sums]:
        """What happened in those of the minutes in which anything did; what is unreadable is left out."""
        with self._redis.pipeline(transaction=False) as together:
            for minute in minutes:
                together.hgetall(keys.stats(minute))
            answers = together.execute(raise_on_error=False)
        return {
            minute: self._sums(keys.stats(minute), answer)
            for minute, answer in zip(minutes, answers, strict=True)
            if answer
        }

    def _add(self, key: str, sums: Sums) -> None:
        with self._redis.pipeline() as together:
            for name, amount in msgspec.structs.asdict(sums).items():
                if amount and name in _WHOLE:
                    together.hincrby(key, name, amount)
                elif amount:
                    together.hincrbyfloat(key, name, amount)
            together.expire(key, KEPT_S)
            together.execute()

    def _sums(self, key: str, answer: Any) -> Sums:
        sums = Sums()
        if not isinstance(answer, dict):
            self._unreadable.note(key, answer)
            return sums
        for field, value in answer.items():
            try:
                name = field.decode()
                amount = int(value) if name in _WHOLE else float(value)
                if math.isfinite(amount):
                    setattr(sums, name, amount)
            except (ValueError, AttributeError) as error:
                self._unreadable.note(key, error)
        return sums
