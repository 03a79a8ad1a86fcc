"""Models that an operator drains, in memory mode."""

import time
from collections.abc import Sequence

from shared.domain.availability.drains import KEPT_S, Drain


class MemoryDrains:
    """The same as the drain store, for one process."""

    def __init__(self) -> None:
        self._drains: dict[str, tuple[Drain, float]] = {}

    def known(self, models: Sequence[str]) -> dict[str, Drain]:
        """The drains of those models that are drained."""
        now, drains = time.time(), self._drains
        return {name: drains[name][0] for name in models if name in drains and now < drains[name][1]}

    def begin(self, model: str, drain: Drain, ttl_s: int = KEPT_S) -> None:
        """Drain a model, for so many seconds at most; a drain that stands is replaced."""
        self._drains = {**self._drains, model: (drain, time.time() + ttl_s)}

    def end(self, model: str) -> bool:
        """End the drain of a model; return whether there was one."""
        known = self.known([model])
        self._drains = {name: entry for name, entry in self._drains.items() if name != model}
        return bool(known)
