"""The command `plano`: one module a subcommand."""

import click

from shared.cli import check, connect, explain, redis_cli, savings, schema, up
from shared.cli.operator import models, session, session_changes, sessions, top


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="plano-affinity")
def main() -> None:
    """An LLM gateway that keeps each session on one model."""


for module in (check, connect, explain, redis_cli, savings, schema, session, sessions, top, up):
    main.add_command(module.command)
for command in (
    session_changes.pin,
    session_changes.unpin,
    session_changes.hold,
    session_changes.release,
    models.models,
    models.drain,
    models.undrain,
):
    main.add_command(command)
