"""`plano session ID`: where a session is, what it has cost, and what has happened to it."""

import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from shared.cli.operator.options import AS_JSON, REDIS_URL, exit_codes, of_session, session, show_json
from shared.cli.operator.sessions import as_facts
from shared.cli.options import CONFIG, view
from shared.domain.session_records import Event, Record
from shared.log_fields import printable
from shared.operations.sessions import SessionState, Timeline
from shared.operations.words import clock, counted, figures, sentence, span


@click.command("session")
@of_session
@CONFIG
@REDIS_URL
@AS_JSON
def command(  # noqa: PLR0917 - click passes them by name
    session_id: str,
    tenant: str | None,
    lane: tuple[str, ...],
    config: Path | None,
    redis_url: str | None,
    as_json: bool,
) -> None:
    """Show where the session ID is, what it has cost, and what has happened to it, in words.

    The exit code is 1 when nothing is known of it, or Redis does not answer.
    """
    named = session(session_id, tenant, lane)
    with exit_codes():
        timeline = view(config, redis_url).operations.sessions.timeline(named)
    if as_json:
        events = [{**msgspec.to_builtins(event), "words": sentence(event)} for event in timeline.events]
        show_json(as_facts(timeline.state) | {"events": events})
    else:
        click.echo("\n".join(map(printable, lines(timeline, time.time()))))


def lines(timeline: Timeline, now: float) -> list[str]:
    """The lines to show."""
    shown = title_and_facts(timeline.state, now)
    events = [line for event in timeline.events for line in _event(event)]
    return [*shown, "", *(events or ["nothing is kept of what happened to it"])]


def title_and_facts(state: SessionState, now: float) -> list[str]:
    """Which session it is, where it is, and what it has cost."""
    return [_title(state), *(f"  {line}" for line in _facts(state, now))]


def _title(state: SessionState) -> str:
    named = state.session
    whose = f" of the tenant {named.tenant}" if named.tenant is not None else ""
    lane = f", thread {' / '.join(named.lane)}" if named.lane else ""
    return f"session {named.id}{whose}{lane}"


def _facts(state: SessionState, now: float) -> Iterator[str]:
    pin, record = state.pin, state.record
    if pin:
        held = ", held there by an operator" if pin.held else ""
        route = f", by the route {pin.route_name}" if pin.route_name else ""
        yield f"pinned to {pin.model_name}{route}{held}; the pin ends in {span(state.ttl_s or 0)}"
    else:
        yield "not pinned: its next request is decided anew"
    if record:
        yield from _sums(record, now)


def _sums(record: Record, now: float) -> Iterator[str]:
    used = f"used {span(now - record.last_used)} ago"
    yield f"begun {clock(record.first_used)} UTC by {record.client or 'somebody'}; {used}"
    yield (
        f"{counted(record.turns, 'turn')}, {counted(record.moves, 'move')}; tokens: {record.input} read, "
        f"{record.cached} from a cache, {record.output} written"
    )
    yield f"US$ {record.cost_usd:.4f} paid, {record.kept_usd:.4f} kept by prompt caches"


def _event(event: Event) -> Iterator[str]:
    at = f" ({event.replica})" if event.replica else ""
    yield f"{clock(event.at)}  {sentence(event)}{at}"
    if made_by := figures(event):
        yield f"{'':19}  {made_by}"
