"""Models that sit out after a failure, as all replicas see them."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from shared.domain.health import Condition, sit_out_s
from shared.errors import StoreDown
from shared.store import keys, scripts

REMEMBERED_S = 600
"""How long a failure counts towards the next one, after its time was served."""
PROBE_S = 10
"""How long a single request may take to find out whether a model is well again."""

_decode = msgspec.json.Decoder(Condition).decode


class CooldownStore:
    """Reads and writes who sits out. Every method raises StoreDown.

    Two keys a model: the cooldown itself, whose ttl is the time to sit out, and the record of its failures,
    which outlives it; while there is a record but no cooldown, the model is on probation.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._sit_out = client.register_script(scripts.read("sit_out.lua"))

    def conditions(self, models: Sequence[str]) -> dict[str, Condition]:
        """What is known of those that have failed, in one round trip."""
        if not models:
            return {}
        records = [keys.failures(name) for name in models]
        sitting_out = [keys.cooldown(name) for name in models]
        values: Any = self._redis.mget(records + sitting_out)
        known = zip(models, values[: len(models)], values[len(models) :], strict=True)
        return {
            name: msgspec.structs.replace(_decode(record), cooling=cooldown is not None)
            for name, record, cooldown in known
            if record is not None
        }

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """Let a model sit out; what fails while it does so already adds nothing."""
        record: Any = self._redis.get(keys.failures(model))
        failures = (_decode(record).failures if record else 0) + 1
        ttl_s = sit_out_s(failures, retry_after_s)
        condition = Condition(since=time.time(), failures=failures, cooling=True, why=why)
        names = [keys.cooldown(model), keys.failures(model), keys.probe(model)]
        self._sit_out(names, [msgspec.json.encode(condition), ttl_s, ttl_s + REMEMBERED_S])

    def recovered(self, model: str) -> None:
        """Forget a model's failures: it has answered."""
        self._redis.delete(keys.cooldown(model), keys.failures(model), keys.probe(model))

    def claim_probe(self, model: str) -> bool:
        """Whether the caller is the one that may try a model on probation; holds for 10 s."""
        return bool(self._redis.set(keys.probe(model), b"1", nx=True, ex=PROBE_S))


class RecentCooldowns:
    """Who sat out when `look` was last called, for whoever ranks without asking Redis."""

    def __init__(self, store: CooldownStore, models: Sequence[str]) -> None:
        self._store = store
        self._models = tuple(models)
        self._known: dict[str, Condition] = {}

    def look(self) -> None:
        """Read them; while Redis is away nobody is known to sit out."""
        try:
            self._known = self._store.conditions(self._models)
        except StoreDown:
            self._known = {}

    def conditions(self, models: Sequence[str]) -> dict[str, Condition]:
        """What is known of those that have failed."""
        return {name: self._known[name] for name in models if name in self._known}
