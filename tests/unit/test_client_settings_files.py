"""Settings files of other programs: what is ours is set, what is theirs stays."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared.cli import client_settings_files
from shared.errors import ConfigError

PROVIDER = {"name": "plano", "base_url": "http://localhost:12000/v1"}
WANTED: dict[str, Any] = {"model": "a/b", "model_provider": "plano", "model_providers": {"plano": PROVIDER}}
COMMENTED = """\
# mine
model = "gpt-5"   # the best
approval_policy = "never"

# providers of mine
[model_providers.other]
name = "model = x"

[profiles.a]
model = "stays"

# the end
"""


def toml(path: Path, text: str, wanted: dict[str, Any] = WANTED) -> str:
    path.write_text(text)
    return client_settings_files.changed(path, wanted)[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_comments_and_the_order_of_a_toml_file_stay(path: Path) -> None:
    new = toml(path, COMMENTED)

    assert new.splitlines() == [
        "# mine",
        'model = "a/b"',
        'approval_policy = "never"',
        'model_provider = "plano"',
        "",
        "# providers of mine",
        "[model_providers.other]",
        'name = "model = x"',
        "",
        "[profiles.a]",
        'model = "stays"',
        "",
        "# the end",
        "",
        "[model_providers.plano]",
        'name = "plano"',
        'base_url = "http://localhost:12000/v1"',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "a = 1",
        "[x]\na = 1",
        "[model_providers.plano]\nname = 'old'\nextra = true\n\n[z]\n",
        'model = "old"\r\n[x]\r\na = 1\r\n',
        "[[list]]\na = 1\n[[list]]\na = 2\n",
        "  model   =   'x'\n",
    ],
)
def test_a_toml_file_then_says_what_it_should(path: Path, text: str) -> None:
    said = tomllib.loads(text)

    found = tomllib.loads(toml(path, text))

    others = {name: value for name, value in said.items() if name not in {"model", "model_providers"}}
    theirs = said.get("model_providers", {}).get("plano", {})
    assert found == {**others, **WANTED, "model_providers": {"plano": {**theirs, **PROVIDER}}}


def test_what_is_said_already_is_left_alone(path: Path) -> None:
    once = toml(path, COMMENTED)

    assert toml(path, once) == once


@pytest.mark.parametrize(
    "text",
    [
        'notes = """\nmodel = "x"\n[here]\n"""\n',
        "model_providers = {plano = {name = 'x'}}\n",
        'model_providers.plano.name = "x"\n',
        "model_providers = 5\n",
        '"model" = "quoted"\n',
        "broken = \n",
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_not(path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="set by hand"):
        toml(path, text)


def test_a_json_file_keeps_what_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"env": {"A": "1", "URL": "old"}, "theme": "dark", "name": "Zoë"}')

    old, new = client_settings_files.changed(path, {"env": {"URL": "new"}})

    assert old == path.read_text()
    assert json.loads(new) == {"env": {"A": "1", "URL": "new"}, "theme": "dark", "name": "Zoë"}
    assert "Zoë" in new
    assert client_settings_files.changed(path, {"env": {"A": "1"}})[1] == old


@pytest.mark.parametrize("text", ["// a comment\n{}", "[]", "5", '{"a": }', "\ufeffx"])
def test_json_that_is_no_mapping_is_not_touched(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match="set by hand"):
        client_settings_files.changed(path, {"a": 1})


def test_each_time_a_copy_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/settings.json"

    copies = [client_settings_files.write(path, f"{n}") for n in range(3)]

    assert path.read_text() == "2"
    assert copies[0] is None
    assert [copy.read_text() for copy in copies[1:] if copy] == ["0", "1"]
    assert {file.name for file in path.parent.iterdir()} == {
        "settings.json", "settings.json.before-plano", "settings.json.before-plano-2"
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one_and_permissions_stay(tmp_path: Path) -> None:
    """Many keep their settings in a repository, and link them."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("{}")
    real.chmod(0o640)
    link.symlink_to(real)

    client_settings_files.write(link, "{}\n")

    assert link.is_symlink()
    assert real.read_text() == "{}\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="cannot be written"):
        client_settings_files.write(tmp_path / "file/settings.json", "{}")


def test_the_difference_shows_what_changes_alone(tmp_path: Path) -> None:
    lines = client_settings_files.difference(tmp_path / "x", "a\nb\nc\n", "a\nB\nc\n")

    assert lines[-2:] == ["-b", "+B"]
    assert len(lines) == 5
