"""`plano check`: whether a config file can be served."""

import os
import sys
from pathlib import Path

import click

from shared.cli.options import CONFIG
from shared.config import load
from shared.env_settings import Settings
from shared.errors import ConfigError
from shared.store.connection.acl_rules import acl


@click.command("check")
@CONFIG
@click.option("--acl", "acl_only", is_flag=True, help="Print the command that makes a user of Redis for the pool.")
def command(config: Path | None, acl_only: bool) -> None:
    """Check CONFIG (default: $PLANO_CONFIG, else config.yaml) and list every fault in it.

    Warns of what is allowed and probably wrong. The exit code is 0 when it can be served and 1 when it cannot.
    """
    if acl_only:
        click.echo(acl())
        return
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
