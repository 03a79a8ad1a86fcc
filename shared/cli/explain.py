"""`plano explain`: in which order a route's candidates are tried now, and why; and why a session is where it is."""

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from shared.cli.operator.options import LANE, TENANT, exit_codes, session
from shared.cli.operator.session import title_and_facts
from shared.cli.options import CONFIG, view
from shared.cli.tables import table
from shared.config.sections import MetricSource, max_ages_s
from shared.domain.pins import Pin
from shared.domain.ranking import KIND_OF, Kind, Row, explain
from shared.domain.routes import Route
from shared.domain.session_records import LASTING
from shared.domain.sessions import Session
from shared.errors import ConfigError
from shared.log_fields import printable
from shared.operations.words import clock, sentence, span
from shared.process_dependencies import ViewBase

_UNITS = {Kind.COST: "US$ per million tokens, input + output", Kind.LATENCY: "seconds to the first byte"}
_HEAD = ("", "model", "value", "age", "source", "why")


@click.command("explain")
@CONFIG
@click.option("--route", help="The route, by its name in the config.")
@click.option("--session", "session_id", metavar="ID", help="The session.")
@TENANT
@LANE
@click.option("--redis-url", help="Where the snapshot is.  [default: $REDIS_URL, `plano up`'s here, the config's]")
def command(  # noqa: PLR0917 - click passes them by name
    config: Path | None,
    route: str | None,
    session_id: str | None,
    tenant: str | None,
    lane: tuple[str, ...],
    redis_url: str | None,
) -> None:
    """Show in which order the candidates of a route in CONFIG are tried now, and why.

    With --session in place of --route: why the session is at its model, and how the candidates of its route stand.

    Reads the same snapshot as the workers: each candidate's value, its age and where it was read. The exit code is 1
    when there is no such route or session, or Redis does not answer.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    """
    if (route is None) == (session_id is None):
        raise click.UsageError("say --route or --session, one of them")
    with exit_codes("the snapshot cannot be read"):
        pool = view(config, redis_url)
        if session_id is not None:
            lines = session_explanation(pool, session(session_id, tenant, lane))
        else:
            lines = explanation(pool, str(route))
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
        drains=pool.drains.known(route.models),
    )
    return [
        *_preface(route, config.sources),
        "",
        *table([_HEAD, *(_cells(n, row, now_s) for n, row in enumerate(rows, 1))]),
    ]


def session_explanation(pool: ViewBase, named: Session) -> list[str]:
    """The lines to show; raises StoreDown, and NoSession for a session of which nothing is known."""
    timeline = pool.operations.sessions.timeline(named)
    pin = timeline.state.pin
    last = next((event for event in reversed(timeline.events) if event.what in LASTING), None)
    shown = title_and_facts(timeline.state, time.time())
    if last:
        shown.append(f"  at {clock(last.at)} UTC it {sentence(last)}")
    shown += [f"  {line}" for line in _next(pool, pin)] if pin else []
    route = next((route for route in pool.config.routes if pin and route.name == pin.route_name), None)
    return [*map(printable, shown), *(["", *explanation(pool, route.name)] if route else [])]


def _next(pool: ViewBase, pin: Pin) -> Iterator[str]:
    """What its next request does, where that is not simply to go to its model."""
    name = pin.model_name
    drain = pool.drains.known([name]).get(name)
    cooldown = pool.cooldowns.known([name]).get(name)
    if pool.config.catalog.find(name) is None:
        yield f"{name} is not in the config: its next request is decided anew"
    elif pin.held and (drain or cooldown):
        yield f"{name} {'is drained' if drain else 'has failed'}; the session is held there all the same"
    elif drain:
        turn = "at its next turn" if drain.now else "at its next turn that is not bound to it nor in a tool loop"
        yield f"{name} is drained: the session moves {turn}, if another candidate is well"
    elif cooldown and cooldown.cooling:
        yield f"{name} sits out ({cooldown.why}): its next request tries the other candidates first"


def _preface(route: Route, sources: Iterable[MetricSource]) -> list[str]:
    kind = KIND_OF.get(route.prefer)
    source = next((source for source in sources if source.type == kind), None)
    if kind is None or source is None:
        return [f"route {route.name}, prefer {route.prefer}: the declared order"]
    ages = f"read every {span(source.refresh_interval_s)}; data older than {span(source.max_age_s)} counts as none"
    return [
        f"route {route.name}, prefer {route.prefer}: ascending {kind} ({_UNITS[kind]})",
        f"source {source.provider}, {ages}",
    ]


def _cells(place: int, row: Row, now_s: float) -> tuple[str, ...]:
    measure = row.measure
    figures = (f"{measure.value:.6g}", span(now_s - measure.as_of), measure.source) if measure else ("-", "-", "-")
    return (str(place), row.model, *figures, row.standing.value)
