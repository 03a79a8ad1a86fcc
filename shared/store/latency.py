"""How fast models have answered lately, as all replicas together have measured it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from shared.domain.latency import Average, Sample
from shared.store import keys, scripts

_decode = msgspec.json.Decoder(Average).decode


class LatencyStore:
    """One average a model, in one hash; every method raises StoreDown."""

    def __init__(self, client: redis.Redis, half_life_s: float, kept_s: int) -> None:
        """Keep what is known for `kept_s` seconds after the last answer of any model."""
        self._redis = client
        self._half_life_s = half_life_s
        self._kept_s = kept_s
        self._observe = client.register_script(scripts.read("observe.lua"))

    def add(self, samples: Mapping[str, Sample]) -> None:
        """Add what this process has measured to the averages, in one round trip."""
        each = [fact for name, one in samples.items() for fact in (name, one.total, one.count)]
        self._observe([keys.OBSERVED], [self._half_life_s, self._kept_s, *each])

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then; the averages of all others are deleted."""
        held: Any = self._redis.hgetall(keys.OBSERVED)
        averages = {name.decode(): _average(value) for name, value in held.items()}
        fresh = {name: average for name, average in averages.items() if average and average.as_of >= since}
        if len(fresh) < len(averages):
            self._redis.hdel(keys.OBSERVED, *(averages.keys() - fresh.keys()))
        return fresh


def _average(value: bytes) -> Average | None:
    """The average in a value; None when the value is not one."""
    try:
        average = _decode(value)
    except msgspec.DecodeError:
        return None
    return average if average.weight > 0 else None
