"""In which order a route's candidates are tried."""

import enum
import math
from collections.abc import Container, Mapping, Sequence
from typing import TypeVar

import msgspec

from shared.domain.availability.cooldowns import Cooldown, by_fitness
from shared.domain.availability.drains import drained_last
from shared.domain.money import Prices
from shared.domain.routes import SOURCE_FOR, Prefer

T = TypeVar("T")


class Kind(enum.StrEnum):
    """What models can be ranked by."""

    COST = "cost"
    LATENCY = "latency"


KIND_OF = {prefer: Kind(source) for prefer, source in SOURCE_FOR.items()}
"""The kind of figure that a preference ranks by; the declared order needs none."""


class Measure(msgspec.Struct, frozen=True):
    """One figure about a model, when it was read (seconds since the epoch), and where."""

    value: float
    as_of: float
    source: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of the models: keyed by qualified name or bare id.

    `cost` is input + output price in US$ per million tokens, `latency` seconds; `prices` are what the
    costs are made of.
    """

    cost: dict[str, Measure] = {}
    latency: dict[str, Measure] = {}
    prices: dict[str, Prices] = {}

    def measures(self, kind: Kind) -> dict[str, Measure]:
        """All figures of a kind."""
        return self.cost if kind is Kind.COST else self.latency

    def as_of(self, kind: Kind) -> float | None:
        """When the newest figure of a kind was read; None when there is none."""
        return max((measure.as_of for measure in self.measures(kind).values()), default=None)

    def renewed(self, kind: Kind, measures: dict[str, Measure], prices: dict[str, Prices]) -> "Snapshot":
        """The same with all figures of one kind replaced; those of the other kind stand."""
        if kind is Kind.LATENCY:
            return msgspec.structs.replace(self, latency=measures)
        return msgspec.structs.replace(self, cost=measures, prices=prices)


EMPTY = Snapshot()


class Standing(enum.StrEnum):
    """Why a candidate is where it is in the order; those that stand first come first."""

    RANKED = "by its figure"
    DECLARED = "in declared order"
    OLD = "its data is too old: in declared order behind those with data"
    MISSING = "no data: in declared order behind those with data"
    DRAINED = "it is drained: behind those that are not"
    COOLING = "it has failed and sits out: behind all others"


class Row(msgspec.Struct, frozen=True):
    """A candidate, what is known of it, and why it is where it is."""

    model: str
    standing: Standing
    measure: Measure | None = None
    """The figure that it is ranked by, or would be if the figure were not too old."""


def explain(
    models: Sequence[str],
    prefer: Prefer,
    snapshot: Snapshot,
    *,
    since: float = -math.inf,
    cooldowns: Mapping[str, Cooldown] = {},
    drains: Container[str] = (),
) -> tuple[Row, ...]:
    """The candidates, best first, and the reason of each.

    Stable; those without data come after those with, in their declared order; then those that are drained, and those
    that sit out last.
    Data read before `since` (seconds since the epoch) counts as none.
    """
    kind = KIND_OF.get(prefer)
    measures = snapshot.measures(kind) if kind else {}
    rows = [_row(name, kind, _newest(name, measures, since), since) for name in models]
    rows.sort(key=_place)
    cooling = {name: known for name in models if (known := cooldowns.get(name)) and known.cooling}
    drained = [name for name in models if name in drains]
    if not (cooling or drained):
        return tuple(rows)
    of = {row.model: row for row in rows}
    of |= {name: msgspec.structs.replace(of[name], standing=Standing.DRAINED) for name in drained}
    of |= {name: msgspec.structs.replace(of[name], standing=Standing.COOLING) for name in cooling}
    return tuple(of[name] for name in by_fitness(drained_last([row.model for row in rows], drains), cooling))


def rank(models: Sequence[str], prefer: Prefer, snapshot: Snapshot, *, since: float = -math.inf) -> tuple[str, ...]:
    """The candidates as `explain` orders them."""
    return tuple(row.model for row in explain(models, prefer, snapshot, since=since))


def facts_of(rows: Sequence[Row], now_s: float) -> dict[str, str | float]:
    """The candidates as attributes of a trace: each with its place, value, age in seconds and reason."""
    facts: dict[str, str | float] = {}
    for place, row in enumerate(rows, 1):
        at = f"plano.rank.{place}"
        facts |= {at: row.model, f"{at}.why": row.standing.value}
        if row.measure:
            age_s = round(now_s - row.measure.as_of, 3)
            facts |= {f"{at}.value": row.measure.value, f"{at}.age_s": age_s, f"{at}.source": row.measure.source}
    return facts


_SHOWN = 3


def figures_of(rows: Sequence[Row], now_s: float) -> dict[str, str | float]:
    """The first three candidates in few bytes: each with its place, its figure, that one's age, and its standing."""
    facts: dict[str, str | float] = {}
    for place, row in enumerate(rows[:_SHOWN], 1):
        facts[f"rank.{place}"] = row.model
        if row.standing not in {Standing.RANKED, Standing.DECLARED}:
            facts[f"rank.{place}.why"] = row.standing.name.lower()
        if row.measure:
            facts[f"rank.{place}.value"] = float(f"{row.measure.value:.4g}")
            facts[f"rank.{place}.age_s"] = round(now_s - row.measure.as_of)
    return facts


def known_of(name: str, figures: Mapping[str, T]) -> T | None:
    """The figure of a model: by its qualified name, else by its bare id."""
    return next((figures[key] for key in _keys(name) if key in figures), None)


def _keys(name: str) -> tuple[str, str]:
    return name, name.partition("/")[2]


def _newest(name: str, measures: Mapping[str, Measure], since: float) -> Measure | None:
    """A model's figure: the first that is new enough, else one that is too old, else None."""
    usable = [measure for key in _keys(name) if (measure := measures.get(key)) and math.isfinite(measure.value)]
    return next((measure for measure in usable if measure.as_of >= since), usable[0] if usable else None)


def _row(name: str, kind: Kind | None, measure: Measure | None, since: float) -> Row:
    if kind is None:
        return Row(name, Standing.DECLARED)
    if measure is None:
        return Row(name, Standing.MISSING)
    return Row(name, Standing.RANKED if measure.as_of >= since else Standing.OLD, measure)


def _place(row: Row) -> float:
    """A candidate's figure; infinite when there is none, so that it never ranks as free or instant."""
    return row.measure.value if row.measure and row.standing is Standing.RANKED else math.inf
