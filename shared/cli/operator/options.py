"""What the operator's commands take, and how they end."""

import contextlib
import getpass
import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
import msgspec

from shared.cli.options import fail, reason
from shared.domain.sessions import Session, identifier
from shared.errors import Away, BadRequest, ConfigError, NoSession
from shared.log_fields import printable
from shared.operations.operator_identity import Operator

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 30 * 86400

REDIS_URL = click.option(
    "--redis-url", help="Where the pool is.  [default: $REDIS_URL, `plano up`'s here, the config's]"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
TENANT = click.option("--tenant", help="The tenant of the session.")
LANE = click.option(
    "--thread", "lane", multiple=True, help="Which of its agent's threads; more than once, as listed."
)
WHO = click.option("--who", help="Who does it.  [default: you@this machine]")
WHY = click.option("--why", default="", help="Why; it is kept with the change.")

Command = Callable[..., Any]


class Span(click.ParamType[int]):
    """A time in whole seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """How many seconds it is."""
        found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd]?)", str(value))
        seconds = int(found[1]) * _UNITS[found[2] or "s"] if found else 0
        if not 1 <= seconds <= _LONGEST_S:
            self.fail(f"{str(value)!r} is not a time up to 30d, such as 90, 10m, 2h or 1d", param, ctx)
        return seconds


def of_session(command: Command) -> Command:
    """Gives a command the arguments that name a session."""
    return click.argument("session_id", metavar="ID")(TENANT(LANE(command)))


def of_change(command: Command) -> Command:
    """Gives a command the options that say who changes something, and why."""
    return WHO(WHY(command))


def session(session_id: str, tenant: str | None, lane: tuple[str, ...]) -> Session:
    """The session that the arguments name; raises click.UsageError."""
    try:
        named = identifier(session_id, header="ID")
        whose = identifier(tenant, header="--tenant") if tenant is not None else None
    except BadRequest as error:
        raise click.UsageError(str(error)) from None
    if named is None:
        raise click.UsageError("ID is blank; name a session")
    return Session(named, whose, lane)


def operator(who: str | None, why: str) -> Operator:
    """Who makes a change, and why."""
    return Operator(who or f"{_user()}@{socket.gethostname()}", why)


@contextlib.contextmanager
def exit_codes(away: str = "Redis does not answer") -> Iterator[None]:
    """Ends the command with 1 when the config is wrong, Redis does not answer, or what is named is not there.

    `away` is what it says of Redis.
    """
    try:
        yield
    except ConfigError as error:
        fail(error)
    except Away as error:
        click.echo(f"{away}: {reason(error)}", err=True)
        sys.exit(1)
    except (NoSession, BadRequest) as error:
        click.echo(printable(str(error)), err=True)
        sys.exit(1)


def show_json(value: Any) -> None:
    """Print a value as JSON; what is no ASCII is escaped."""
    click.echo(json.dumps(msgspec.to_builtins(value), indent=2))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "someone"
