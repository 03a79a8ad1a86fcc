"""`plano pin`, `unpin`, `hold` and `release`: an operator's changes of one session."""

from pathlib import Path
from typing import Any

import click

from shared.cli.operator.options import (
    AS_JSON,
    REDIS_URL,
    Span,
    exit_codes,
    of_change,
    of_session,
    operator,
    session,
    show_json,
)
from shared.cli.operator.sessions import as_facts
from shared.cli.options import CONFIG, view
from shared.domain.sessions import Session
from shared.log_fields import printable
from shared.operations.operator_identity import Operator
from shared.operations.sessions import SessionOperations, SessionState
from shared.operations.words import span


@click.command("pin")
@of_session
@click.argument("model")
@CONFIG
@click.option("--ttl", "ttl_s", type=Span(), help="How long the pin lives.  [default: as any pin]")
@of_change
@REDIS_URL
@AS_JSON
def pin(model: str, ttl_s: int | None, as_json: bool, **named: Any) -> None:
    """Pin the session ID to MODEL: its next request is served by it, whether it had a pin or not.

    The exit code is 1 when the model is not configured or Redis does not answer.
    """
    with exit_codes():
        _show(_sessions(named).pin(_session(named), model, _by(named), ttl_s), as_json=as_json)


@click.command("unpin")
@of_session
@CONFIG
@of_change
@REDIS_URL
def unpin(**named: Any) -> None:
    """End the pin of the session ID, so that its next request is decided anew.

    The exit code is 1 when it has no pin or Redis does not answer.
    """
    with exit_codes():
        _sessions(named).unpin(_session(named), _by(named))
    click.echo(printable(f"{named['session_id']}: not pinned; its next request is decided anew"))


@click.command("hold")
@of_session
@CONFIG
@of_change
@REDIS_URL
@AS_JSON
def hold(as_json: bool, **named: Any) -> None:
    """Hold the session ID at its model until its pin ends: no failover, no other decision, no drain moves it.

    The exit code is 1 when it has no pin or Redis does not answer.
    """
    with exit_codes():
        _show(_sessions(named).hold(_session(named), _by(named)), as_json=as_json)


@click.command("release")
@of_session
@CONFIG
@of_change
@REDIS_URL
@AS_JSON
def release(as_json: bool, **named: Any) -> None:
    """End the hold of the session ID, if there is one.

    The exit code is 1 when it has no pin or Redis does not answer.
    """
    with exit_codes():
        _show(_sessions(named).release(_session(named), _by(named)), as_json=as_json)


def _sessions(named: dict[str, Any]) -> SessionOperations:
    config: Path | None = named["config"]
    return view(config, named["redis_url"]).operations.sessions


def _session(named: dict[str, Any]) -> Session:
    return session(named["session_id"], named["tenant"], named["lane"])


def _by(named: dict[str, Any]) -> Operator:
    return operator(named["who"], named["why"])


def _show(state: SessionState, *, as_json: bool) -> None:
    if as_json:
        show_json(as_facts(state))
        return
    held = ", held" if state.pin and state.pin.held else ""
    ends = f"; the pin ends in {span(state.ttl_s)}" if state.ttl_s is not None else ""
    click.echo(printable(f"{state.session.id}: {state.model}{held}{ends}"))
