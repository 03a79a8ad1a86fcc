"""Models that sit out after a failure, as all replicas see them."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from shared.domain.availability.cooldowns import Cooldown, sit_out_s
from shared.errors import StoreDown
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder

REMEMBERED_S = 600
"""How long a failure counts towards the next one, after its cooldown has ended."""
SUSPECTED_S = 10
"""Within which time a model must fail two requests to sit out."""
PROBE_S = 10
"""How long one request alone may try whether a model is well again."""


class CooldownStore:
    """Reads and writes which models sit out. Every method raises StoreDown.

    A model has two keys. The ttl of the first, the cooldown, is the time to sit out. The second is the record of its
    failures, which lives longer. While there is a record but no cooldown, the model is on probation.
    """

    def __init__(self, client: redis.Redis, unreadable: Unreadable | None = None) -> None:
        self._redis = client
        self._records = Decoder(msgspec.json.Decoder(Cooldown).decode, unreadable)
        self._sit_out = client.register_script(scripts.read("sit_out.lua"))

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """The cooldowns of those models that have failed, in one round trip."""
        if not models:
            return {}
        records = [keys.failures(name) for name in models]
        sitting_out = [keys.cooldown(name) for name in models]
        values: Any = self._redis.mget(records + sitting_out)
        rows = zip(models, records, values[: len(models)], values[len(models) :], strict=True)
        known = {}
        for name, key, value, sits_out in rows:
            record = self._records.read(key, value)
            if record:
                known[name] = msgspec.structs.replace(record, cooling=sits_out is not None)
        return known

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """Let a model sit out; a failure of one that does so already adds nothing."""
        record = self._record(keys.failures(model))
        failures = (record.failures if record else 0) + 1
        ttl_s = sit_out_s(failures, retry_after_s)
        cooldown = Cooldown(since=time.time(), failures=failures, cooling=True, why=why)
        names = [keys.cooldown(model), keys.failures(model), keys.probe(model)]
        self._sit_out(names, [msgspec.json.encode(cooldown), ttl_s, ttl_s + REMEMBERED_S])

    def _record(self, key: str) -> Cooldown | None:
        try:
            return self._records.read(key, self._redis.get(key))
        except WrongType as error:
            self._records.unreadable.note(key, error)
            return None

    def suspected(self, model: str, request: str) -> bool:
        """Whether a model that has failed this request has failed another one in the last 10 s."""
        key = keys.suspected(model)
        try:
            last: Any = self._redis.set(key, request, ex=SUSPECTED_S, get=True)
        except WrongType as error:
            self._records.unreadable.note(key, error)
            last = None
            self._redis.set(key, request, ex=SUSPECTED_S)
        return last is not None and last != request.encode()

    def recovered(self, model: str) -> None:
        """Forget a model's failures: it has answered."""
        self._redis.delete(keys.cooldown(model), keys.failures(model), keys.probe(model), keys.suspected(model))

    def claim_probe(self, model: str) -> bool:
        """Whether the caller is the one that may try a model on probation; holds for 10 s."""
        return bool(self._redis.set(keys.probe(model), b"1", nx=True, ex=PROBE_S))


class RecentCooldowns:
    """The cooldowns as `look` read them last, so that ranking need not ask Redis."""

    def __init__(self, store: CooldownStore, models: Sequence[str]) -> None:
        self._store = store
        self._models = tuple(models)
        self._known: dict[str, Cooldown] = {}

    def look(self) -> None:
        """Read the cooldowns; while Redis is away there are none."""
        try:
            self._known = self._store.known(self._models)
        except StoreDown:
            self._known = {}

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """The cooldowns of those models that have failed."""
        return {name: self._known[name] for name in models if name in self._known}
