"""What several subcommands take, and how they say what is wrong."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from shared.errors import ConfigError, StoreDown

CONFIG = click.argument("config", required=False, type=click.Path(path_type=Path))
"""Which config file, where not the usual one."""


def fail(error: ConfigError) -> NoReturn:
    """Print every fault, and exit with 1."""
    for fault in error.faults:
        click.echo(fault, err=True)
    sys.exit(1)


def reason(error: StoreDown) -> str:
    """Why Redis does not answer, in the words of what failed first; an address is not part of them."""
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    return getattr(first, "strerror", None) or str(first)
