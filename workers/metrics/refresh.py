"""Reads a source and renews its kind of the snapshot."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.config.sections import HALF_LIFE_S, MetricSource
from shared.domain.ranking import EMPTY, Kind, Snapshot
from shared.domain.routes import Route
from shared.errors import SourceFailed, StoreDown
from shared.memory.latency import MemoryLatencies
from workers.metrics import build
from workers.metrics.fetch import Fetch
from workers.metrics.missing import Gaps
from workers.metrics.observed import Averages

log = logging.getLogger("plano.metrics")


class Store(Protocol):
    """Keeps the snapshot; raises StoreDown."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""
        ...

    def update(self, change: Callable[[Snapshot], Snapshot], ttl_s: int) -> None:
        """Replace the snapshot by what `change` makes of it."""
        ...


class Refresher:
    """Renews the snapshot from the sources of a config; running one refresh twice does no harm."""

    def __init__(
        self,
        sources: Sequence[MetricSource],
        store: Store,
        fetch: Fetch | None = None,
        *,
        averages: Averages | None = None,
        routes: Sequence[Route] = (),
    ) -> None:
        """The source `observed` reads `averages`; the log warns of candidates of `routes` without data."""
        self._sources = {Kind(source.type): source for source in sources}
        self._store = store
        self._fetch = fetch or Fetch()
        self._measured = averages or MemoryLatencies(HALF_LIFE_S)
        self._gaps = Gaps(routes)
        self._counts: dict[Kind, int] = {}
        self._failing: set[Kind] = set()
        self._ttl_s = max((source.kept_s for source in sources), default=1)

    def refresh(self, kind: Kind) -> None:
        """Replace all figures of a kind by those of its source; when the source fails, the old ones stay.

        The log says when it begins to fail and when it is well again, whatever happens in between.
        """
        source = self._sources.get(kind)
        if source is None:
            log.warning("this worker's config has no source of type %s", kind)
            return
        try:
            count = self._renew(kind, source)
        except (SourceFailed, StoreDown) as error:
            if kind not in self._failing:
                log.warning("%s from %s: %s; %s", kind, source.provider, error, self._standing(kind))
            self._failing.add(kind)
        else:
            if kind in self._failing:
                log.warning("%s from %s: well again, %d models", kind, source.provider, count)
            elif count != self._counts.get(kind):  # a line for each reading would be too many
                log.info("%s from %s: %d models", kind, source.provider, count)
            self._failing.discard(kind)
            self._counts[kind] = count

    def _renew(self, kind: Kind, source: MetricSource) -> int:
        reading = build(source, self._fetch, self._measured).read().named(source.model_aliases)
        measures = reading.measures(time.time(), source.provider)
        if measures:
            self._store.update(lambda standing: standing.renewed(kind, measures, reading.prices), self._ttl_s)
        self._gaps.look(kind, EMPTY.renewed(kind, measures, reading.prices))
        return len(measures)

    def _standing(self, kind: Kind) -> str:
        try:
            as_of = self._store.snapshot().as_of(kind)
        except StoreDown:
            return "the store is away"
        return "there is no data yet" if as_of is None else f"data {time.time() - as_of:.0f} s old stands"
