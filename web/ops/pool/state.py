"""Shows what this process sees of the pool beside its own requests: workers, queue, models that sit out, prices."""

import math
from collections.abc import Mapping
from importlib.metadata import version
from typing import Protocol

from shared.domain.availability.cooldowns import Cooldown
from shared.domain.money import prices_of
from shared.domain.ranking import Kind
from shared.errors import Away
from shared.process_dependencies import WebBase

EVERY_S = 5.0


class Metrics(Protocol):
    """Shows the state of the pool."""

    def described(self, version: str, config: str) -> None:
        """What this process serves."""

    def queued(self, workers: float, waiting: float) -> None:
        """How many workers live, and how many jobs wait."""

    def cooling(self, model: str, *, cools: bool) -> None:
        """Whether a model sits out."""

    def priced(self, known: int, unknown: int) -> None:
        """Of how many models the price is known."""


class PoolState:
    """Looks at the pool every few seconds."""

    def __init__(self, base: WebBase, metrics: Metrics) -> None:
        self._base = base
        self._metrics = metrics
        self._cooled: set[str] = set()
        """The models that have sat out since this process began."""

    def look(self) -> None:
        """Show the state of now."""
        config = self._base.config
        self._metrics.described(version("plano-affinity"), config.digest)
        self._metrics.queued(*self._queue())
        self._show_cooldowns(self._base.failover.cooldowns)
        if Kind.COST in config.source_types:
            prices = self._base.prices.snapshot().prices
            models = [model.name for model in config.catalog.models if not model.name.endswith("/*")]
            known = sum(prices_of(name, prices) is not None for name in models)
            self._metrics.priced(known, len(models) - known)

    def _queue(self) -> tuple[float, float]:
        decisions = self._base.decisions
        try:
            return decisions.workers(), decisions.waiting()
        except Away:
            return math.nan, math.nan

    def _show_cooldowns(self, known: Mapping[str, Cooldown]) -> None:
        cooling = {name for name, cooldown in known.items() if cooldown.cooling}
        self._cooled |= cooling
        for name in self._cooled:
            self._metrics.cooling(name, cools=name in cooling)
