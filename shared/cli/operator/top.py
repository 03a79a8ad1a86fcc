"""`plano top`: the pool, live in a terminal."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared.cli.operator import models, sessions
from shared.cli.operator.options import REDIS_URL, Span, exit_codes
from shared.cli.options import CONFIG, reason, view
from shared.domain.pool_stats import MINUTE_S, Sums, pinned_share
from shared.domain.session_records import Order
from shared.errors import Away
from shared.operations.build import Operations
from shared.operations.pool import PoolState
from shared.operations.words import span

_SHOWN = 10
"""So many sessions."""
_MINUTES = 5


@click.command("top")
@CONFIG
@click.option("--every", "every_s", type=Span(), default="2s", show_default=True, help="How often it looks.")
@click.option(
    "--by", "order", type=click.Choice([each.value for each in Order]), default="last_use", show_default=True
)
@click.option("--once", is_flag=True, help="Look once, and end; so it does where it writes to no terminal.")
@REDIS_URL
def command(config: Path | None, every_s: int, order: str, once: bool, redis_url: str | None) -> None:
    """Show the pool live: requests, replicas, queue, models and the first sessions. Stop: Ctrl-C.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    """
    with exit_codes():
        operations = view(config, redis_url).operations
        console = Console()
        if once or not sys.stdout.isatty():
            console.print(screen(operations, Order(order)))
            return
        try:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                while True:
                    live.update(_or_away(operations, Order(order)), refresh=True)
                    time.sleep(every_s)
        except KeyboardInterrupt:
            return


def screen(operations: Operations, order: Order) -> RenderableType:
    """What is shown; raises Away."""
    now = time.time()
    this = int(now // MINUTE_S)
    sums = operations.stats.read(range(this - _MINUTES, this))
    states = operations.models.states()
    newest = operations.sessions.page(order, count=_SHOWN).sessions
    return Group(
        Text(f"plano, {time.strftime('%H:%M:%S')}", style="bold"),
        *_pool(operations.pool.state()),
        Text(f"{_stats(list(sums.values()))}\n"),
        _table(models.HEAD, (models.cells(state, now) for state in states), right=models.RIGHT),
        Text(),
        _table(sessions.HEAD, (sessions.cells(state, now) for state in newest), right=sessions.RIGHT),
    )


def _or_away(operations: Operations, order: Order) -> RenderableType:
    try:
        return screen(operations, order)
    except Away as error:
        return Text(f"Redis does not answer: {reason(error)}", style="bold red")


def _pool(state: PoolState) -> Iterator[Text]:
    youngest = min((replica.age_s for replica in state.replicas), default=0.0)
    webs = f"{len(state.replicas)} web processes (last sign of life {span(youngest)} ago)"
    yield Text(
        f"{webs}, {len(state.workers)} workers, "
        f"{state.queue.waiting} decisions waiting, {state.queue.running} running"
    )
    if len(state.configs) > 1:
        yield Text(f"the web processes have different configs: {', '.join(state.configs)}", style="bold red")


def _stats(minutes: Sequence[Sums]) -> str:
    """The last full minutes together."""
    requests = sum(each.requests for each in minutes)
    if not requests:
        return f"no request in the last {_MINUTES} full minutes"
    decided = sum(each.decided for each in minutes)
    first_ms = 1000 * sum(each.first_request_s for each in minutes) / decided if decided else 0.0
    return (
        f"in the last {_MINUTES} full minutes: "
        f"{requests} requests ({requests / (_MINUTES * MINUTE_S):.1f} a second), "
        f"{pinned_share(minutes) or 0:.0%} pinned, {first_ms:.0f} ms a first decision, "
        f"{sum(each.errors for each in minutes)} errors, {sum(each.degraded for each in minutes)} degraded, "
        f"US$ {sum(each.cost_usd for each in minutes):.4f} paid, "
        f"{sum(each.kept_usd for each in minutes):.4f} kept"
    )


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]], *, right: Sequence[int]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), collapse_padding=True)
    for n, name in enumerate(head):  # where there is no room for all, the names are broken, and no figure is cut
        shown.add_column(name, justify="right" if n in right else "left", no_wrap=n in right, overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown
