"""How fast models have answered lately, in memory mode."""

import time
from collections.abc import Mapping

from shared.domain.latency import Average, Sample, folded


class MemoryLatencies:
    """The same as LatencyStore, for one process. Only one thread may add."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._averages: dict[str, Average] = {}

    def add(self, samples: Mapping[str, Sample]) -> None:
        """Add what was measured to the averages."""
        self._averages = folded(self._averages, samples, time.time(), self._half_life_s)

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then."""
        return {name: average for name, average in self._averages.items() if average.as_of >= since}
