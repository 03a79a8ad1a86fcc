"""In which order a route's candidates are tried."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.routes import Prefer


class Measure(msgspec.Struct, frozen=True):
    """One figure about a model, and when it was read (seconds since the epoch)."""

    value: float
    as_of: float


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of the models: keyed by qualified name or bare id.

    `cost` is input + output price in US$ per million tokens, `latency` seconds.
    """

    cost: dict[str, Measure] = {}
    latency: dict[str, Measure] = {}


EMPTY = Snapshot()


def rank(models: Sequence[str], prefer: Prefer, snapshot: Snapshot) -> tuple[str, ...]:
    """The candidates, best first; stable, and those without data last in their declared order."""
    if prefer is Prefer.NONE:
        return tuple(models)
    measures = snapshot.cost if prefer is Prefer.CHEAPEST else snapshot.latency
    return tuple(sorted(models, key=lambda name: _value(name, measures)))


def _value(name: str, measures: Mapping[str, Measure]) -> float:
    """A model's figure; infinite when there is none, so that it never ranks as free or instant."""
    measure = measures.get(name) or measures.get(name.partition("/")[2])
    return math.inf if measure is None or math.isnan(measure.value) else measure.value
