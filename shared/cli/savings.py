"""`plano savings`: what answers have cost, and what prompt caches saved."""

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from shared.cli.options import CONFIG, fail, view
from shared.cli.tables import table
from shared.domain.money.accounts import AMOUNTS, HOUR_S, PARTS, Account, Amounts, by, total
from shared.domain.ranking import Kind
from shared.errors import ConfigError, StoreDown
from shared.process_dependencies import ViewBase

_HOURS = {"h": 1, "d": 24}
_MOST_HOURS = 7 * 24


class _Since(click.ParamType[int]):
    """A time in whole hours."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """How many hours it is."""
        found = re.fullmatch(r"([1-9][0-9]{0,3})([hd])", str(value))
        hours = int(found[1]) * _HOURS[found[2]] if found else 0
        if not 1 <= hours <= _MOST_HOURS:
            self.fail(f"{str(value)!r} is not a time from 1h to 7d, such as 24h or 2d", param, ctx)
        return hours


@click.command("savings")
@CONFIG
@click.option("--since", type=_Since(), default="24h", show_default=True, help="How far back, from 1h to 7d.")
@click.option("--by", "part", type=click.Choice(list(PARTS)), default="model", show_default=True)
@click.option("--redis-url", help="Where the sums are.  [default: $REDIS_URL, `plano up`'s here, the config's]")
def command(config: Path | None, since: int, part: str, redis_url: str | None) -> None:
    """Show what the answers of the pool have cost, and what it saved that sessions keep their model, in US$.

    `kept` is what the providers' prompt caches saved: the price of their tokens as fresh input, less what reading
    and writing them cost. `lost` is what re-warming cost after a session had to leave a model whose cache was warm.
    An answer whose price is not known is in none of them. Sums are kept by the hour; the first hour counts whole.

    CONFIG defaults to $PLANO_CONFIG, else that of the pool which `plano up` runs on this machine, else config.yaml.
    """
    now = int(time.time() // HOUR_S)
    try:
        pool = view(config, redis_url)
        sums = pool.savings.read(range(now - since, now + 1))
    except ConfigError as error:
        fail(error)
    except StoreDown as error:
        click.echo(f"the sums cannot be read: {error}", err=True)
        sys.exit(1)
    click.echo("\n".join(lines(sums, part, now - since) if sums else _nothing(pool, now - since)))


def lines(sums: Mapping[Account, Amounts], part: str, first_hour: int) -> list[str]:
    """The lines to show; `first_hour` is counted from the epoch."""
    rows = [(name or f"(no {part})", amounts) for name, amounts in by(part, sums).items()]
    rows.append(("total", total(sums.values())))
    cells = [(part, *AMOUNTS), *((name, *(f"{usd:.4f}" for usd in amounts)) for name, amounts in rows)]
    return [f"US$ since {_shown(first_hour)}", "", *table(cells, right=(1, 2, 3))]


def _nothing(pool: ViewBase, first_hour: int) -> list[str]:
    if Kind.COST not in pool.config.source_types:
        return ["nothing is priced: add a source of type cost to model_metrics_sources"]
    return [f"no answer was priced since {_shown(first_hour)}"]


def _shown(hour: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(hour * HOUR_S))
