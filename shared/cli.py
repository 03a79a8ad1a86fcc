"""The command `plano`."""

import os
import sys
from pathlib import Path

import click
import msgspec

from shared import bootstrap
from shared import explain as explanation
from shared import up as pool
from shared.config import load
from shared.errors import ConfigError, StoreDown
from shared.settings import Settings

_CONFIG = click.argument("config", required=False, type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="plano-affinity")
def main() -> None:
    """An LLM gateway that keeps each session on one model."""


@main.command()
@_CONFIG
def check(config: Path | None) -> None:
    """Check CONFIG (default: $PLANO_CONFIG, else config.yaml) and list every fault in it.

    The exit code is 0 when it can be served and 1 when it cannot.
    """
    try:
        path = config or Settings.from_env(os.environ).config
        checked = load(path, os.environ)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        count = len(error.faults)
        click.echo(f"{count} fault{'s' if count > 1 else ''}", err=True)
        sys.exit(1)
    for warning in checked.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{path} is fine: {len(checked.catalog.models)} models, {len(checked.routes)} routes")


@main.command()
@_CONFIG
@click.option("--route", required=True, help="The route, by its name in the config.")
@click.option("--redis-url", help="Where the snapshot stands.  [default: $REDIS_URL, else the config's]")
def explain(config: Path | None, route: str, redis_url: str | None) -> None:
    """Show in which order the candidates of a route in CONFIG are tried now, and why.

    Reads the same snapshot as the workers: each candidate's value, its age and where it was read. The exit code is 1
    when there is no such route or Redis does not answer.
    """
    try:
        env = {**os.environ, "REDIS_URL": redis_url} if redis_url else os.environ
        settings = Settings.from_env(env)
        if config:
            settings = msgspec.structs.replace(settings, config=config)
        lines = explanation.told(bootstrap.view(settings, env), route)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        sys.exit(1)
    except StoreDown as error:
        click.echo(f"the snapshot cannot be read: {error}", err=True)
        sys.exit(1)
    click.echo("\n".join(lines))


@main.command()
@_CONFIG
@click.option("--web", type=click.IntRange(1, 64), help="Web processes behind the one port.  [default: 2]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen.  [default: $PORT, the config's, 12000]")
@click.option(
    "--also",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another Procfile, whose processes run as well (stand-ins, a local router model).",
)
def up(config: Path | None, web: int | None, workers: int, port: int | None, also: Path | None) -> None:
    r"""Run the whole pool on this machine, for development.

    Starts Redis (unless REDIS_URL names one), the web processes, the workers and the clock, shows what they
    print, says when the gateway answers and what to try, and stops everything on Ctrl-C or SIGTERM.

    CONFIG defaults to $PLANO_CONFIG, else config.yaml.

    \b
    Examples:
      plano up
      plano up demos/local/config.yaml --also demos/local/Procfile
      REDIS_URL=redis://localhost:6379 plano up --web 4 --workers 2 --port 8080
    """
    try:
        settings = Settings.from_env(os.environ)
        plan = pool.plan(settings, os.environ, config=config, web=web, workers=workers, port=port, also=also)
        sys.exit(pool.run(plan))
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        sys.exit(1)
