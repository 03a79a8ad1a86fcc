"""`plano schema`: the JSON Schema of the config file."""

import json

import click

from shared.config.schema import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the config file, for editors."""
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
