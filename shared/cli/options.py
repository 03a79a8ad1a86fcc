"""What several subcommands take, and how they say what is wrong."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from shared import bootstrap
from shared.cli.local_pool.pool_register import running_pool
from shared.env_settings import Settings
from shared.errors import Away, ConfigError
from shared.process_dependencies import ViewBase

CONFIG = click.argument("config", required=False, type=click.Path(path_type=Path))
"""Which config file, where not the usual one."""


def view(config: Path | None, redis_url: str | None) -> ViewBase:
    """The pool to look at: the one named, else that of `plano up` on this machine, else the config's.

    Raises ConfigError.
    """
    env = {**os.environ, "REDIS_URL": redis_url} if redis_url else dict(os.environ)
    if config:
        env["PLANO_CONFIG"] = str(config)
    env |= {name: value for name, value in _of_running_pool(env).items() if not env.get(name)}
    return bootstrap.view(Settings.from_env(env), env)


def fail(error: ConfigError) -> NoReturn:
    """Print every fault, and exit with 1."""
    for fault in error.faults:
        click.echo(fault, err=True)
    sys.exit(1)


def reason(error: Away) -> str:
    """Why Redis does not answer, in the words of what failed first; an address is not part of them."""
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    return getattr(first, "strerror", None) or str(first)


def _of_running_pool(env: Mapping[str, str]) -> dict[str, str]:
    """What a pool of `plano up` runs with; nothing when there is none, or the Redis is named."""
    settings = Settings.from_env(env)
    if settings.redis_url:
        return {}
    pool = running_pool(env, config=settings.config if env.get("PLANO_CONFIG") else None, port=settings.port)
    if pool is None:
        return {}
    return {**pool.variables, "REDIS_URL": pool.redis_url, "PLANO_CONFIG": pool.config}
