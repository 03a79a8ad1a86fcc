"""In which order a route's candidates are tried."""

import enum
import math
from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.routes import Prefer


class Kind(enum.StrEnum):
    """What can be known of a model."""

    COST = "cost"
    LATENCY = "latency"


KIND_OF = {Prefer.CHEAPEST: Kind.COST, Prefer.FASTEST: Kind.LATENCY}
"""What a preference ranks by; the declared order needs nothing."""


class Measure(msgspec.Struct, frozen=True):
    """One figure about a model, when it was read (seconds since the epoch), and where."""

    value: float
    as_of: float
    source: str = ""


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model's tokens cost, in US$ per million; `cached_input` is None where it is not known."""

    input: float
    output: float
    cached_input: float | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of the models: keyed by qualified name or bare id.

    `cost` is input + output price in US$ per million tokens, `latency` seconds; `prices` are what the
    costs are made of.
    """

    cost: dict[str, Measure] = {}
    latency: dict[str, Measure] = {}
    prices: dict[str, Price] = {}

    def measures(self, kind: Kind) -> dict[str, Measure]:
        """All figures of a kind."""
        return self.cost if kind is Kind.COST else self.latency

    def as_of(self, kind: Kind) -> float | None:
        """When the newest figure of a kind was read; None when there is none."""
        return max((measure.as_of for measure in self.measures(kind).values()), default=None)

    def renewed(self, kind: Kind, measures: dict[str, Measure], prices: dict[str, Price]) -> "Snapshot":
        """The same with all figures of one kind replaced; those of the other kind stand."""
        if kind is Kind.LATENCY:
            return msgspec.structs.replace(self, latency=measures)
        return msgspec.structs.replace(self, cost=measures, prices=prices)


EMPTY = Snapshot()


def rank(models: Sequence[str], prefer: Prefer, snapshot: Snapshot, *, since: float = -math.inf) -> tuple[str, ...]:
    """The candidates, best first; stable, and those without data last in their declared order.

    Data read before `since` (seconds since the epoch) counts as none.
    """
    kind = KIND_OF.get(prefer)
    if kind is None:
        return tuple(models)
    measures = snapshot.measures(kind)
    return tuple(sorted(models, key=lambda name: _value(name, measures, since)))


def _value(name: str, measures: Mapping[str, Measure], since: float) -> float:
    """A model's figure; infinite when there is none, so that it never ranks as free or instant."""
    for key in (name, name.partition("/")[2]):
        measure = measures.get(key)
        if measure and measure.as_of >= since and math.isfinite(measure.value):
            return measure.value
    return math.inf
