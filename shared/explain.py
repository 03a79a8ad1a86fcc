"""`plano explain`: in which order a route's candidates are tried now, and why."""

import math
import time
from collections.abc import Iterable, Sequence

from shared.bootstrap import View
from shared.config.values import MetricSource, max_ages_s
from shared.domain.ranking import KIND_OF, Kind, Row, explain
from shared.domain.routes import Route
from shared.errors import ConfigError

_UNITS = {Kind.COST: "US$ per million tokens, input + output", Kind.LATENCY: "seconds to the first byte"}
_HEAD = ("", "model", "value", "age", "source", "why")


def told(view: View, route_name: str) -> list[str]:
    """The lines to show; raises StoreDown, and ConfigError for a route that is not there."""
    config = view.config
    route = next((route for route in config.routes if route.name == route_name), None)
    if route is None:
        known = ", ".join(route.name for route in config.routes) or "none"
        raise ConfigError([f"--route: {route_name!r} is not in the config; its routes are: {known}"])
    now_s = time.time()
    rows = explain(
        route.models,
        route.prefer,
        view.metrics.snapshot(),
        since=now_s - max_ages_s(config.sources).get(route.prefer, math.inf),
        conditions=view.cooldowns.conditions(route.models),
    )
    return [
        *_preface(route, config.sources),
        "",
        *_table([_HEAD, *(_cells(n, row, now_s) for n, row in enumerate(rows, 1))]),
    ]


def _preface(route: Route, sources: Iterable[MetricSource]) -> list[str]:
    kind = KIND_OF.get(route.prefer)
    source = next((source for source in sources if source.type == kind), None)
    if kind is None or source is None:
        return [f"route {route.name}, prefer {route.prefer}: the declared order"]
    ages = f"read every {_span(source.refresh_interval_s)}; data older than {_span(source.max_age_s)} counts as none"
    return [
        f"route {route.name}, prefer {route.prefer}: ascending {kind} ({_UNITS[kind]})",
        f"source {source.provider}, {ages}",
    ]


def _cells(place: int, row: Row, now_s: float) -> tuple[str, ...]:
    measure = row.measure
    figures = (f"{measure.value:.6g}", _span(now_s - measure.as_of), measure.source) if measure else ("-", "-", "-")
    return (str(place), row.model, *figures, row.standing.value)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _span(seconds: float) -> str:
    """How long that is, in its largest whole unit: `45 s`, `12 min`, `3 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
