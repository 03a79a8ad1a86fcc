"""How fast models have answered lately, as all replicas together have measured it."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from shared.domain.latency import Average, Sample
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder


class LatencyStore:
    """One average a model, in one hash; every method raises StoreDown."""

    def __init__(
        self, client: redis.Redis, half_life_s: float, kept_s: int, unreadable: Unreadable | None = None
    ) -> None:
        """Keep what is known for `kept_s` seconds after the last answer of any model."""
        self._redis = client
        self._half_life_s = half_life_s
        self._kept_s = kept_s
        self._decoder = Decoder(msgspec.json.Decoder(Average).decode, unreadable)
        self._observe = client.register_script(scripts.read("observe.lua"))

    def add(self, samples: Mapping[str, Sample]) -> None:
        """Add what this process has measured to the averages, in one round trip."""
        each = [fact for name, one in samples.items() for fact in (name, one.total, one.count)]
        facts = [self._half_life_s, self._kept_s, *each]
        try:
            self._observe([keys.OBSERVED], facts)
        except WrongType as error:
            self._drop(error)
            self._observe([keys.OBSERVED], facts)

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then; the averages of all others are deleted."""
        try:
            held: Any = self._redis.hgetall(keys.OBSERVED)
        except WrongType as error:
            self._drop(error)
            return {}
        averages = {name: self._average(value) for name, value in held.items()}
        fresh = {name: average for name, average in averages.items() if average and average.as_of >= since}
        if len(fresh) < len(averages):
            self._redis.hdel(keys.OBSERVED, *(averages.keys() - fresh.keys()))
        return {name.decode(errors="replace"): average for name, average in fresh.items()}

    def _average(self, value: bytes) -> Average | None:
        """The average in a value; None when the value is not one."""
        average = self._decoder.read(keys.OBSERVED, value)
        usable = average and average.weight > 0 and 0 <= average.value < math.inf
        return average if usable else None

    def _drop(self, why: WrongType) -> None:
        """Make room for the hash."""
        self._decoder.unreadable.note(keys.OBSERVED, why)
        self._redis.delete(keys.OBSERVED)
