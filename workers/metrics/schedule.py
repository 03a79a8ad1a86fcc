"""When each source is to be read."""

from collections.abc import Sequence

from shared.config.sections import MetricSource
from shared.domain.ranking import Kind, Snapshot

TICK_S = 1.0
"""How often the clock looks which sources are due."""
RETRY_S = 60.0
"""After so long a refresh without an effect is asked for again."""


class Schedule:
    """A source is due at the start and at each of its intervals; sooner when its data is missing or old."""

    def __init__(self, sources: Sequence[MetricSource]) -> None:
        self._sources = tuple(sources)
        self._asked: dict[str, float] = {}

    def due(self, snapshot: Snapshot, now_s: float) -> list[MetricSource]:
        """The sources to ask now; `now_s` is in seconds since the epoch."""
        return [source for source in self._sources if self._is_due(source, snapshot, now_s)]

    def asked(self, source: MetricSource, now_s: float) -> None:
        """Note that the source is being read."""
        self._asked[source.type] = now_s

    def _is_due(self, source: MetricSource, snapshot: Snapshot, now_s: float) -> bool:
        asked = self._asked.get(source.type)
        if asked is None:
            return True
        elapsed = now_s - asked
        interval = source.refresh_interval_s
        if elapsed < 0 or elapsed >= interval:  # negative: the machine's clock was set back
            return True
        as_of = snapshot.as_of(Kind(source.type))
        return elapsed >= RETRY_S and (as_of is None or now_s - as_of >= interval)
