"""How fast models have answered lately, as all replicas together have seen it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from shared.domain.observed import Average, Seen
from shared.store import keys, scripts

_decode = msgspec.json.Decoder(Average).decode


class ObservedStore:
    """One average a model, in one hash; every method raises StoreDown."""

    def __init__(self, client: redis.Redis, half_life_s: float, kept_s: int) -> None:
        """After `kept_s` seconds without any answer nothing is known."""
        self._redis = client
        self._half_life_s = half_life_s
        self._kept_s = kept_s
        self._observe = client.register_script(scripts.read("observe.lua"))

    def add(self, seen: Mapping[str, Seen]) -> None:
        """Fold what this process has seen of some models into the averages, in one round trip."""
        each = [fact for name, one in seen.items() for fact in (name, one.total, one.count)]
        self._observe([keys.OBSERVED], [self._half_life_s, self._kept_s, *each])

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then; models that have not are forgotten."""
        held: Any = self._redis.hgetall(keys.OBSERVED)
        averages = {name.decode(): _average(value) for name, value in held.items()}
        fresh = {name: average for name, average in averages.items() if average and average.as_of >= since}
        if len(fresh) < len(averages):
            self._redis.hdel(keys.OBSERVED, *(averages.keys() - fresh.keys()))
        return fresh


def _average(value: bytes) -> Average | None:
    """None for a value that is no average."""
    try:
        average = _decode(value)
    except msgspec.DecodeError:
        return None
    return average if average.weight > 0 else None
