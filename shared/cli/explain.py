"""`plano explain`: in which order a route's candidates are tried now, and why."""

import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from shared.cli.arguments import CONFIG, fail, view
from shared.cli.tables import table
from shared.config.sections import MetricSource, max_ages_s
from shared.domain.ranking import KIND_OF, Kind, Row, explain
from shared.domain.routes import Route
from shared.errors import ConfigError, StoreDown
from shared.process_objects import ViewBase

_UNITS = {Kind.COST: "US$ per million tokens, input + output", Kind.LATENCY: "seconds to the first byte"}
_HEAD = ("", "model", "value", "age", "source", "why")


@click.command("explain")
@CONFIG
@click.option("--route", required=True, help="The route, by its name in the config.")
@click.option("--redis-url", help="Where the snapshot is.  [default: $REDIS_URL, `plano up`'s here, the config's]")
def command(config: Path | None, route: str, redis_url: str | None) -> None:
    """Show in which order the candidates of a route in CONFIG are tried now, and why.

    Reads the same snapshot as the workers: each candidate's value, its age and where it was read. The exit code is 1
    when there is no such route or Redis does not answer.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    """
    try:
        lines = explanation(view(config, redis_url), route)
    except ConfigError as error:
        fail(error)
    except StoreDown as error:
        click.echo(f"the snapshot cannot be read: {error}", err=True)
        sys.exit(1)
    click.echo("\n".join(lines))


def explanation(pool: ViewBase, route_name: str) -> list[str]:
    """The lines to show; raises StoreDown, and ConfigError for a route that is not there."""
    config = pool.config
    route = next((route for route in config.routes if route.name == route_name), None)
    if route is None:
        known = ", ".join(route.name for route in config.routes) or "none"
        raise ConfigError([f"--route: {route_name!r} is not in the config; its routes are: {known}"])
    now_s = time.time()
    rows = explain(
        route.models,
        route.prefer,
        pool.metrics.snapshot(),
        since=now_s - max_ages_s(config.sources).get(route.prefer, math.inf),
        cooldowns=pool.cooldowns.known(route.models),
    )
    return [
        *_preface(route, config.sources),
        "",
        *table([_HEAD, *(_cells(n, row, now_s) for n, row in enumerate(rows, 1))]),
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


def _span(seconds: float) -> str:
    """How long that is, in its largest whole unit: `45 s`, `12 min`, `3 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
