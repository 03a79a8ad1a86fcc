"""`plano sessions`: the sessions that live, by last use, cost or what was kept."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from shared.cli.operator.options import AS_JSON, REDIS_URL, exit_codes, show_json
from shared.cli.options import CONFIG, view
from shared.cli.tables import table
from shared.domain.session_records import Order
from shared.log_fields import printable
from shared.operations.sessions import Filter, SessionOperations, SessionState
from shared.operations.words import span

HEAD = ("session", "tenant", "model", "", "used", "turns", "moves", "cost", "kept", "pin ends in")
RIGHT = (4, 5, 6, 7, 8, 9)


@click.command("sessions")
@CONFIG
@click.option(
    "--by", "order", type=click.Choice([each.value for each in Order]), default="last_use", show_default=True
)
@click.option("--tenant", help="Those of one tenant.")
@click.option("--model", help="Those that one model serves.")
@click.option("--find", "text", default="", help="Those with this in their id, of all; in no order.")
@click.option("--every", is_flag=True, help="Look at all, not at the first thousand of the order; in no order.")
@click.option("--ended", is_flag=True, help="Those, too, whose pin has ended.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@REDIS_URL
@AS_JSON
def command(  # noqa: PLR0917 - click passes them by name
    config: Path | None,
    order: str,
    tenant: str | None,
    model: str | None,
    text: str,
    every: bool,
    ended: bool,
    limit: int,
    redis_url: str | None,
    as_json: bool,
) -> None:
    """List the sessions that live, those that were used last first.

    `cost` and `kept` are in US$; kept is what prompt caches saved. A session that an operator holds has `held`.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    The exit code is 0, also when there are none; 1 when Redis does not answer or the model is not configured.
    """
    with exit_codes():
        pool = view(config, redis_url)
        name = pool.config.catalog.qualify(model) if model else None
        wanted = Filter(tenant=tenant, model=name, text=text, ended=ended)
        sessions = pool.operations.sessions
        states = found(sessions, limit, wanted) if text or every else listed(sessions, Order(order), limit, wanted)
    if as_json:
        show_json([as_facts(state) for state in states])
    else:
        click.echo("\n".join(lines(states, time.time())))


def listed(sessions: SessionOperations, order: Order, limit: int, wanted: Filter) -> list[SessionState]:
    """The sessions that come first in an order."""
    return list(sessions.page(order, count=limit, wanted=wanted).sessions)


def found(sessions: SessionOperations, limit: int, wanted: Filter) -> list[SessionState]:
    """So many of all sessions, page after page."""
    states: list[SessionState] = []
    for page in _pages(sessions, limit, wanted):
        states += page
        if len(states) >= limit:
            break
    return states[:limit]


def lines(states: Sequence[SessionState], now: float) -> list[str]:
    """The lines to show."""
    if not states:
        return ["no session"]
    return table([HEAD, *(cells(state, now) for state in states)], right=RIGHT)


def as_facts(state: SessionState) -> dict[str, Any]:
    """A session for programs."""
    pin, record = state.pin, state.record
    return {
        "id": state.session.id,
        "tenant": state.session.tenant,
        "lane": list(state.session.lane),
        "model": state.model,
        "route": pin.route_name if pin else record.route if record else None,
        "pinned": pin is not None,
        "held": pin is not None and pin.held,
        "ttl_s": state.ttl_s,
        "record": msgspec.to_builtins(record),
    }


def _pages(sessions: SessionOperations, limit: int, wanted: Filter) -> Iterator[tuple[SessionState, ...]]:
    cursor = 0
    while True:
        page = sessions.search(cursor, limit, wanted)
        yield page.sessions
        cursor = page.after
        if cursor == 0:
            return


def cells(state: SessionState, now: float) -> tuple[str, ...]:
    """A session's row in a table."""
    session, record = state.session, state.record
    name = "~".join((session.id, *session.lane))
    used = (
        (f"{span(now - record.last_used)} ago", str(record.turns), str(record.moves), f"{record.cost_usd:.4f}",
         f"{record.kept_usd:.4f}")
        if record
        else ("-",) * 5
    )  # fmt: skip
    held = "held" if state.pin and state.pin.held else ""
    ends = "ended" if state.ttl_s is None else span(state.ttl_s)
    return (printable(name), printable(session.tenant or "-"), printable(state.model), held, *used, ends)
