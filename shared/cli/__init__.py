"""The command `plano`: one module a subcommand."""

import click

from shared.cli import check, connect, explain, redis, savings, schema, up


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="plano-affinity")
def main() -> None:
    """An LLM gateway that keeps each session on one model."""


for module in (check, connect, explain, redis, savings, schema, up):
    main.add_command(module.command)
