"""Latencies that the pool itself has measured."""

import time
from typing import Protocol

from shared.config.sections import MetricSource
from shared.domain.latency import Average
from workers.metrics.usable_figures import Reading


class Averages(Protocol):
    """Keeps the latencies that web processes measure; raises StoreDown."""

    def averages(self, since: float) -> dict[str, Average]:
        """The average of each model that has answered since then."""
        ...


class Observed:
    """Time to first byte by qualified name, each figure as old as the model's last answer."""

    def __init__(self, source: MetricSource, averages: Averages) -> None:
        self._kept_s = source.kept_s
        self._measured = averages

    def read(self) -> Reading:
        """The averages; empty when no model has answered lately. Raises StoreDown."""
        averages = self._measured.averages(time.time() - self._kept_s)
        values = {name: average.value for name, average in averages.items()}
        return Reading(values, as_of={name: average.as_of for name, average in averages.items()})
