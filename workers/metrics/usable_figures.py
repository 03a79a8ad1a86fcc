"""The figures that a source gave, without those that are unusable."""

import logging
import math
from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec

from shared.domain.money import Prices
from shared.domain.ranking import Measure
from shared.errors import SourceFailed

log = logging.getLogger("plano.metrics")

T = TypeVar("T")

_PLACES = 9
"""Prices are rounded to so many decimals, so that equal prices do not differ by an error of rounding."""
_SHOWN = 3


class Reading(msgspec.Struct, frozen=True):
    """Figures of models, by the source's own names. A cost comes with the prices that it is the sum of."""

    values: dict[str, float]
    prices: dict[str, Prices] = {}
    as_of: dict[str, float] = {}
    """When a figure was measured, in seconds since the epoch, if that was before it was read."""

    @classmethod
    def of_latencies(cls, latencies: Mapping[str, float]) -> "Reading":
        """Seconds per model, without figures that are negative or not finite.

        Raises SourceFailed when none is left.
        """
        values = {name: value for name, value in latencies.items() if _usable(value)}
        _warn_of(latencies.keys() - values.keys())
        return cls(_some(values))

    @classmethod
    def of_prices(cls, prices: Mapping[str, Prices]) -> "Reading":
        """Input + output per model; one that lacks either, or whose prices are negative or not finite, is left out.

        Zero counts as a price: the source says that the model is free. Raises SourceFailed when none is left.
        """
        whole = {name: each for name, each in prices.items() if each.input is not None and each.output is not None}
        sums = {name: total for name, each in whole.items() if (total := _total(each)) is not None}
        _warn_of(whole.keys() - sums.keys())
        return cls(_some(sums), {name: _sound(prices[name]) for name in sums})

    def named(self, aliases: Mapping[str, str]) -> "Reading":
        """The same with our names added; `aliases` has the source's names of models, and ours."""
        return Reading(*(_aliased(figures, aliases) for figures in (self.values, self.prices, self.as_of)))

    def measures(self, as_of: float, source: str) -> dict[str, Measure]:
        """The figures, each with its time and source; `as_of` is for those without a time of their own."""
        return {name: Measure(value, self.as_of.get(name, as_of), source) for name, value in self.values.items()}


def _usable(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _total(prices: Prices) -> float | None:
    """Input + output; None when one of them is missing or unusable."""
    if prices.input is None or prices.output is None or not (_usable(prices.input) and _usable(prices.output)):
        return None
    total = prices.input + prices.output
    return round(total, _PLACES) if math.isfinite(total) else None


def _sound(prices: Prices) -> Prices:
    """The same prices, rounded; an unusable one is not known."""
    given = msgspec.structs.astuple(prices)
    return Prices(*(round(each, _PLACES) if each is not None and _usable(each) else None for each in given))


def _some(values: dict[str, float]) -> dict[str, float]:
    if not values:
        raise SourceFailed("there is not one usable figure in the answer")
    return values


def _warn_of(dropped: Collection[str]) -> None:
    if dropped:
        names = ", ".join(repr(name) for name in sorted(dropped)[:_SHOWN])
        log.warning("dropped %d figures that are no number or negative, such as of %s", len(dropped), names)


def _aliased(figures: dict[str, T], aliases: Mapping[str, str]) -> dict[str, T]:
    return figures | {ours: figures[theirs] for theirs, ours in aliases.items() if theirs in figures}
