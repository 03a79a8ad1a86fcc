"""Reads a source and renews its kind of the snapshot."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.config.values import MetricSource
from shared.domain.ranking import KIND_OF, Kind, Snapshot
from shared.domain.routes import Prefer
from shared.errors import SourceFailed, StoreDown
from workers.metrics import SOURCES
from workers.metrics.fetch import Fetch

log = logging.getLogger("plano.metrics")

MAX_AGE_INTERVALS = 6
"""Data that was not renewed for so many refresh intervals is ranked as missing …"""
KEPT_INTERVALS = 3
"""… and kept for so many more, so that it can be told from data that never was."""


class Store(Protocol):
    """Where the snapshot stands; raises StoreDown."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""
        ...

    def update(self, change: Callable[[Snapshot], Snapshot], ttl_s: int) -> None:
        """Replace the snapshot by what `change` makes of it."""
        ...


class Refresher:
    """Renews the snapshot from the sources of a config; running one refresh twice does no harm."""

    def __init__(self, sources: Sequence[MetricSource], store: Store, fetch: Fetch | None = None) -> None:
        self._sources = {Kind(source.type): source for source in served(sources)}
        self._store = store
        self._fetch = fetch or Fetch()
        self._ttl_s = max((_kept_s(source) for source in self._sources.values()), default=1)

    def refresh(self, kind: Kind) -> None:
        """Replace all figures of a kind by what its source says; when it fails, those that stand stay."""
        source = self._sources.get(kind)
        if source is None:
            log.warning("this worker's config has no source of type %s", kind)
            return
        try:
            count = self._renew(kind, source)
        except (SourceFailed, StoreDown) as error:
            log.warning("%s from %s: %s; %s", kind, source.provider, error, self._standing(kind))
        else:
            log.info("%s from %s: %d models", kind, source.provider, count)

    def _renew(self, kind: Kind, source: MetricSource) -> int:
        reading = SOURCES[source.provider](source, self._fetch).read().named(source.model_aliases)
        measures = reading.measures(time.time(), source.provider)
        self._store.update(lambda standing: standing.renewed(kind, measures, reading.prices), self._ttl_s)
        return len(measures)

    def _standing(self, kind: Kind) -> str:
        try:
            as_of = self._store.snapshot().as_of(kind)
        except StoreDown:
            return "the store is away"
        return "there is no data yet" if as_of is None else f"data {time.time() - as_of:.0f} s old stands"


def served(sources: Sequence[MetricSource]) -> tuple[MetricSource, ...]:
    """The sources that are read by workers."""
    return tuple(source for source in sources if source.provider in SOURCES)


def max_age_s(source: MetricSource) -> int:
    """How old the source's data may be to be ranked by."""
    return MAX_AGE_INTERVALS * source.refresh_interval_s


def max_ages_s(sources: Sequence[MetricSource]) -> dict[Prefer, int]:
    """How old data may be for each preference that a source serves."""
    ages = {Kind(source.type): max_age_s(source) for source in sources}
    return {prefer: ages[kind] for prefer, kind in KIND_OF.items() if kind in ages}


def _kept_s(source: MetricSource) -> int:
    return max_age_s(source) + KEPT_INTERVALS * source.refresh_interval_s
