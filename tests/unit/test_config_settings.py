"""That every setting is declared once: the schema for editors and the README's table are the models'."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic.fields import FieldInfo

from shared.cli import main
from shared.config import load
from tests.harness import ROOT
from tests.unit.config_settings import settings

SCHEMA = ROOT / "shared" / "config" / "config.schema.json"
README = (ROOT / "README.md").read_text("utf-8")
CONFIGS = sorted([ROOT / "config.yaml", *ROOT.glob("demos/*/config.yaml"), *ROOT.glob("deploy/*/config.yaml")])

ENV = {
    **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ROUTER_MODEL"), "test"),
    **dict.fromkeys(("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "ROUTER_URL"), "http://127.0.0.1/v1"),
    **dict.fromkeys(("SOURCES_PORT", "PROVIDER_PORT", "PROVIDER_PORT_2", "ROUTER_PORT"), "9090"),
}


def written(path: str, field: FieldInfo) -> str:
    """A default as the README writes it."""
    default = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if default is None or default == {}:
        return "–"  # noqa: RUF001 - the README's dash for what has no default
    if path.endswith("timeout"):
        return f"{default:g}s"
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def table() -> dict[str, str]:
    """The settings of the README's table with their defaults; `.name` is another setting of the section before."""
    rows = README.partition("| setting | default | means |")[2].partition("\n\n")[0].splitlines()[2:]
    found: dict[str, str] = {}
    for row in rows:
        names, defaults = (cell.strip().split(", ") for cell in row.split("|")[1:3])
        section = names[0].strip("`").rpartition(".")[0]
        paths = [name.strip("`") for name in names]
        full = [section + path if path.startswith(".") else path for path in paths]
        found |= dict(zip(full, defaults, strict=True))
    return found


def schema_properties(node: Any) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for item in node for found in schema_properties(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("properties", {})
    return [*own.items(), *(found for value in node.values() for found in schema_properties(value))]


def test_the_readme_lists_every_setting_with_its_default() -> None:
    assert table() == {path: written(path, field) for path, field in settings().items()}


def test_the_schema_in_the_repository_is_what_the_command_prints() -> None:
    """`plano schema > shared/config/config.schema.json` writes it anew."""
    printed = CliRunner().invoke(main, ["schema"])

    assert printed.exit_code == 0
    assert SCHEMA.read_text("utf-8") == printed.stdout


def test_the_schema_is_one_of_draft_2020_12_that_accepts_our_configs() -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")

    of_itself = subprocess.run([tool, "--check-metaschema", SCHEMA], capture_output=True, text=True, check=False)
    of_configs = subprocess.run([tool, "--schemafile", SCHEMA, *CONFIGS], capture_output=True, text=True, check=False)

    assert json.loads(SCHEMA.read_text("utf-8"))["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert of_itself.returncode == 0, of_itself.stdout
    assert of_configs.returncode == 0, of_configs.stdout


def test_every_setting_in_the_schema_is_described() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))

    assert schema["title"]
    undescribed = [
        name for name, setting in schema_properties(schema) if not {"description", "$ref"} & setting.keys()
    ]
    assert undescribed == []
    assert not any("example" in setting or "examples" in setting for _, setting in schema_properties(schema))


def test_the_schema_refuses_what_the_gateway_refuses(tmp_path: Path) -> None:
    wrong = tmp_path / "config.yaml"
    wrong.write_text("model_providers: [{model: gpt, acces_key: a}]\nlimits: {headers: 5}\nrouting: {router: remote}")
    tool = Path(sys.executable).with_name("check-jsonschema")

    run = subprocess.run([tool, "--schemafile", SCHEMA, wrong], capture_output=True, text=True, check=False)

    assert run.returncode == 1


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_our_configs_are_without_warnings(path: Path) -> None:
    warnings = load(path, ENV).warnings

    assert [
        warning for warning in warnings if "set version: v0.4.0" not in warning
    ] == []  # one demo is the reference's


def test_the_config_names_its_schema_for_editors() -> None:
    first, *_ = (ROOT / "config.yaml").read_text("utf-8").splitlines()

    assert first == f"# yaml-language-server: $schema={SCHEMA.relative_to(ROOT)}"
