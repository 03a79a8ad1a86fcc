"""How fast models have answered lately, as the one process has seen it."""

import time
from collections.abc import Mapping

from shared.domain.observed import Average, Seen, folded


class MemoryObserved:
    """The same as the store of averages, for one process; only one thread adds."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._averages: dict[str, Average] = {}

    def add(self, seen: Mapping[str, Seen]) -> None:
        """Fold what was seen of some models into the averages."""
        self._averages = folded(self._averages, seen, time.time(), self._half_life_s)

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then."""
        return {name: average for name, average in self._averages.items() if average.as_of >= since}
