"""Warns of candidates without data: they rank last, and nobody would see why."""

import logging
from collections.abc import Sequence

from shared.domain.ranking import KIND_OF, Kind, Snapshot, known_of
from shared.domain.routes import Route

log = logging.getLogger("plano.metrics")


class Gaps:
    """Warns once of each candidate in the config's routes that has no data."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._told: set[tuple[Kind, str]] = set()

    def look(self, kind: Kind, snapshot: Snapshot) -> None:
        """Warn of the candidates that are ranked by this kind and not in the snapshot."""
        measures = snapshot.measures(kind)
        ranked = (route for route in self._routes if KIND_OF.get(route.prefer) is kind)
        names = dict.fromkeys(name for route in ranked for name in route.models)
        missing = [name for name in names if (kind, name) not in self._told and known_of(name, measures) is None]
        if missing:
            self._told.update((kind, name) for name in missing)
            log.warning("no %s of %s: ranked behind candidates with data", kind, ", ".join(missing))
