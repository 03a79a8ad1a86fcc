"""`plano models`, `drain` and `undrain`: what each model does, and whether sessions shall leave it."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from shared.cli.operator.options import AS_JSON, REDIS_URL, exit_codes, of_change, operator, show_json
from shared.cli.options import CONFIG, view
from shared.cli.tables import table
from shared.domain.availability.cooldowns import Cooldown
from shared.domain.availability.drains import Drain
from shared.log_fields import printable
from shared.operations.models import ModelState
from shared.operations.words import span

HEAD = ("model", "state", "sessions", "share", "input", "output", "first byte", "why")
RIGHT = (2, 3, 4, 5, 6)


@click.command("models")
@CONFIG
@REDIS_URL
@AS_JSON
def models(config: Path | None, redis_url: str | None, as_json: bool) -> None:
    """Show what each model of CONFIG does, how many sessions it has, what it costs and how fast it is.

    `sessions` and `share` are of the newest thousand sessions that live; `input` and `output` are US$ per million
    tokens; `first byte` is seconds, where the config measures it. `why` says since when a model is drained or fails.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    """
    with exit_codes():
        states = view(config, redis_url).operations.models.states()
    if as_json:
        show_json(states)
    else:
        click.echo("\n".join(lines(states, time.time())))


@click.command("drain")
@click.argument("model")
@CONFIG
@click.option("--now", is_flag=True, help="Move its sessions at their next turn, whatever that loses.")
@of_change
@REDIS_URL
@AS_JSON
def drain(  # noqa: PLR0917 - click passes them by name
    model: str, config: Path | None, now: bool, who: str | None, why: str, redis_url: str | None, as_json: bool
) -> None:
    """Drain MODEL: new sessions avoid it, and its sessions move to the next candidate of their route.

    They move at their next turn that is not in a tool loop, and that holds no reasoning which only MODEL can read.
    With --now they move at their next turn, whatever it is. A session that is held stays, and so does one that has no
    other candidate which is well. A drain ends after seven days, or by `plano undrain`.

    The exit code is 1 when the model is not configured or Redis does not answer.
    """
    with exit_codes():
        state = view(config, redis_url).operations.models.drain(model, operator(who, why), now=now)
    if as_json:
        show_json(state)
    else:
        click.echo(f"{state.name}: drained; {state.sessions} of the newest sessions are there")


@click.command("undrain")
@click.argument("model")
@CONFIG
@of_change
@REDIS_URL
def undrain(model: str, config: Path | None, who: str | None, why: str, redis_url: str | None) -> None:
    """End the drain of MODEL. The sessions that have left do not come back.

    The exit code is 1 when it was not drained, the model is not configured, or Redis does not answer.
    """
    with exit_codes():
        ended = view(config, redis_url).operations.models.undrain(model, operator(who, why))
    click.echo(f"{model}: {'drained no longer' if ended else 'was not drained'}", err=not ended)
    raise SystemExit(0 if ended else 1)


def lines(states: Sequence[ModelState], now: float) -> list[str]:
    """The lines to show."""
    return table([HEAD, *(cells(state, now) for state in states)], right=RIGHT)


def cells(state: ModelState, now: float) -> tuple[str, ...]:
    """A model's row in a table."""
    prices, latency = state.prices, state.latency
    return (
        state.name,
        state.state.value,
        str(state.sessions),
        "-" if state.share is None else f"{state.share:.0%}",
        _figure(prices.input if prices else None),
        _figure(prices.output if prices else None),
        _figure(latency.value if latency else None),
        "; ".join(_why(state.drain, state.cooldown, now)),
    )


def _why(drain: Drain | None, cooldown: Cooldown | None, now: float) -> list[str]:
    why = []
    if drain:
        at_once = ", at once" if drain.now else ""
        said = f": {drain.why}" if drain.why else ""
        why.append(printable(f"by {drain.who or 'somebody'}, {span(now - drain.since)} ago{at_once}{said}"))
    if cooldown:
        why.append(f"{cooldown.why}, {cooldown.failures} in a row, {span(now - cooldown.since)} ago")
    return why


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
