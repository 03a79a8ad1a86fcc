"""The figures that a source gave, without those that are unusable."""

import logging
import math
from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec

from shared.domain.ranking import Measure, Price
from shared.errors import SourceFailed

log = logging.getLogger("plano.metrics")

T = TypeVar("T")

_PLACES = 9
"""Prices are rounded to so many decimals, so that equal prices do not differ by an error of rounding."""
_SHOWN = 3


class Reading(msgspec.Struct, frozen=True):
    """Figures of models, by the source's own names. A cost comes with the prices that it is the sum of."""

    values: dict[str, float]
    prices: dict[str, Price] = {}
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
    def of_prices(cls, prices: Mapping[str, Price]) -> "Reading":
        """Input + output per model, without prices that are negative or not finite.

        Zero counts as a price: the source says that the model is free. Raises SourceFailed when none is left.
        """
        sound = {name: _sound(price) for name, price in prices.items() if _priced(price)}
        _warn_of(prices.keys() - sound.keys())
        values = {name: round(price.input + price.output, _PLACES) for name, price in sound.items()}
        return cls(_some(values), sound)

    def named(self, aliases: Mapping[str, str]) -> "Reading":
        """The same with our names added; `aliases` has the source's names of models, and ours."""
        return Reading(*(_aliased(figures, aliases) for figures in (self.values, self.prices, self.as_of)))

    def measures(self, as_of: float, source: str) -> dict[str, Measure]:
        """The figures, each with its time and source; `as_of` is for those without a time of their own."""
        return {name: Measure(value, self.as_of.get(name, as_of), source) for name, value in self.values.items()}


def _usable(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _priced(price: Price) -> bool:
    return _usable(price.input) and _usable(price.output) and math.isfinite(price.input + price.output)


def _sound(price: Price) -> Price:
    cached = price.cached_input
    return Price(
        round(price.input, _PLACES),
        round(price.output, _PLACES),
        round(cached, _PLACES) if cached is not None and _usable(cached) else None,
    )


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
