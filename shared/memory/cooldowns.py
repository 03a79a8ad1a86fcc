"""Models that sit out, in memory mode."""

import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from shared.domain.availability.cooldowns import Cooldown, sit_out_s

SUSPECTED_S = 10


class MemoryCooldowns:
    """The same as the cooldown store, for one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: dict[str, tuple[Cooldown, float]] = {}
        self._probes: dict[str, float] = {}
        self._suspected: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """The cooldowns of those models that have failed."""
        now = self._clock()
        with self._lock:
            known = {name: self._records[name] for name in models if name in self._records}
        return {
            name: msgspec.structs.replace(cooldown, cooling=now < until) for name, (cooldown, until) in known.items()
        }

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """Let a model sit out; a failure of one that does so already adds nothing."""
        now = self._clock()
        with self._lock:
            known = self._records.get(model)
            if known and now < known[1]:
                return
            failures = (known[0].failures if known else 0) + 1
            cooldown = Cooldown(since=now, failures=failures, cooling=True, why=why)
            self._records[model] = cooldown, now + sit_out_s(failures, retry_after_s)
            self._probes.pop(model, None)

    def suspected(self, model: str, request: str) -> bool:
        """Whether a model that has failed this request has failed another one in the last 10 s."""
        now = self._clock()
        with self._lock:
            last, until = self._suspected.get(model, (request, 0.0))
            self._suspected[model] = request, now + SUSPECTED_S
        return last != request and now < until

    def recovered(self, model: str) -> None:
        """Forget a model's failures: it has answered."""
        with self._lock:
            self._records.pop(model, None)
            self._probes.pop(model, None)
            self._suspected.pop(model, None)

    def claim_probe(self, model: str) -> bool:
        """Whether the caller is the one that may try a model on probation; holds for 10 s."""
        now = self._clock()
        with self._lock:
            if self._probes.get(model, 0.0) > now:
                return False
            self._probes[model] = now + 10
            return True
