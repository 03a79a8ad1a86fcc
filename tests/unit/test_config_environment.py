"""Variables in the file, from the environment and from .env."""

import os
from pathlib import Path

import pytest

from shared.config import Config
from tests.unit.config_files import Read, faults

KEYED = "model_providers: [{model: openai/a, access_key: %s}]"


def access_key(config: Config) -> str | None:
    return config.catalog.models[0].provider.access_key


@pytest.mark.parametrize("reference", ["$A_KEY", "'${A_KEY}'", "'$A_KEY'"])
def test_a_variable_is_replaced_in_either_spelling(read: Read, reference: str) -> None:
    config = read(KEYED % reference, A_KEY="sk-1")

    assert access_key(config) == "sk-1"


def test_a_variable_is_replaced_inside_of_a_text(read: Read) -> None:
    config = read(KEYED % "'sk-$ONE-${TWO}x'", ONE="1", TWO="2")

    assert access_key(config) == "sk-1-2x"


def test_a_value_is_not_searched_for_variables_again(read: Read) -> None:
    config = read(KEYED % "$A_KEY", A_KEY="sk-$OTHER")

    assert access_key(config) == "sk-$OTHER"


@pytest.mark.parametrize(("text", "key"), [("a$$B", "a$B"), ("$1", "$1"), ("a$", "a$")])
def test_a_dollar_sign_without_a_name_is_itself(read: Read, text: str, key: str) -> None:
    config = read(KEYED % text)

    assert access_key(config) == key


def test_a_number_or_a_flag_may_come_from_a_variable(read: Read) -> None:
    text = "listeners: [{port: $PORT}]\nmodel_providers: [{model: openai/a, default: $FLAG}]"

    config = read(text, PORT="8080", FLAG="true")

    assert config.listener.port == 8080
    assert config.catalog.default is not None


def test_digits_from_a_variable_stay_a_text_where_a_text_is_wanted(read: Read) -> None:
    config = read(KEYED % "$A_KEY", A_KEY="0123")

    assert access_key(config) == "0123"


def test_a_wrong_value_from_a_variable_is_told_by_its_name(read: Read) -> None:
    text = "listeners: [{port: $PORT}]\n" + KEYED % "a"

    assert faults(read, text, PORT="many") == (
        "listeners[0].port: is what $PORT stands for; it is a whole number from 1 to 65535",
    )


def test_an_empty_variable_is_no_key(read: Read) -> None:
    (fault,) = faults(read, KEYED % "$A_KEY", A_KEY="")

    assert fault.startswith("model_providers[0].access_key: is empty, as $A_KEY is; it is a text of printable ASCII")


def test_undefined_variables_are_named_with_their_place_and_cure(read: Read) -> None:
    text = KEYED % "$A" + "\nmodel_aliases: {b: {target: $C$D}}"

    assert faults(read, text) == (
        "model_providers[0].access_key: $A is not set; export it or write it into .env beside the file",
        "model_aliases.b.target: $C and $D are not set; export it or write it into .env beside the file",
    )


def test_an_undefined_variable_is_one_fault_whatever_it_stood_for(read: Read) -> None:
    """A base_url that is not filled in is not also missing."""
    text = "model_providers: [{model: custom/a, provider_interface: openai, base_url: $URL}]"

    assert len(faults(read, text)) == 1


def test_an_unknown_setting_is_told_rather_than_its_variable(read: Read) -> None:
    """Else setting the variable would reveal the other fault."""
    assert faults(read, "model_providers: [{model: openai/a, acces_key: $NOWHERE}]") == (
        "model_providers[0].acces_key: is not known; the nearest name is access_key",
    )


def test_a_default_value_in_braces_is_refused(read: Read) -> None:
    (fault,) = faults(read, KEYED % "'${A_KEY:-x}'", A_KEY="sk-1")

    assert fault == (
        "model_providers[0].access_key: ${…} holds more than a name; it is $NAME or ${NAME}, and $$ is a dollar sign"
    )


@pytest.mark.parametrize(
    "unused",
    [
        "state_storage: {type: postgres, connection_string: $NOWHERE}",
        "tracing: {exporters: [{type: posthog, api_key: $NOWHERE}]}",
        "listeners: [{type: agent, name: $NOWHERE}]",
        "routing: {session_cache: {type: memory, url: $NOWHERE}}",
        "# $NOWHERE",
    ],
)
def test_an_undefined_variable_that_nothing_uses_does_no_harm(read: Read, unused: str) -> None:
    config = read(KEYED % "a" + "\n" + unused)

    assert access_key(config) == "a"


def test_a_key_beside_passthrough_is_not_used(read: Read) -> None:
    config = read("model_providers: [{model: openai/a, passthrough_auth: true, access_key: $NOWHERE}]")

    assert access_key(config) is None
    assert config.warnings == ("ignored, as nothing here uses it: model_providers[0].access_key",)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A_KEY=sk-1", "sk-1"),
        ("export A_KEY=sk-1", "sk-1"),
        ("  A_KEY = sk-1  # mine", "sk-1"),
        ("A_KEY='sk#1'", "sk#1"),
        ('A_KEY="sk-1" # mine', "sk-1"),
        ("A_KEY=sk#1", "sk#1"),
        ("A_KEY=sk=1", "sk=1"),
        ("# A_KEY=a\n\nA_KEY=sk-1", "sk-1"),
        ("A_KEY=a\nA_KEY=sk-1", "sk-1"),
        ("\ufeffA_KEY=sk-1\r\n", "sk-1"),
    ],
)
def test_variables_are_read_from_dotenv_beside_the_file(read: Read, tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env").write_text(line, "utf-8")

    config = read(KEYED % "$A_KEY")

    assert access_key(config) == value


def test_the_environment_goes_before_dotenv(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A_KEY=from-file", "utf-8")

    config = read(KEYED % "$A_KEY", A_KEY="from-environment")

    assert access_key(config) == "from-environment"


def test_dotenv_changes_no_environment(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A_KEY=sk-1\nPLANO_FROM_DOTENV=x", "utf-8")

    read(KEYED % "$A_KEY")

    assert "PLANO_FROM_DOTENV" not in os.environ


def test_a_value_of_dotenv_is_taken_as_it_stands(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OTHER=a\nA_KEY=sk-${OTHER}-$OTHER", "utf-8")

    assert access_key(read(KEYED % "$A_KEY")) == "sk-${OTHER}-$OTHER"


def test_a_broken_line_of_dotenv_is_named_but_not_shown(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nsk-secret\n", "utf-8")

    assert faults(read, KEYED % "a") == (".env, line 2: is not understood; it is NAME=value",)


def test_a_dotenv_that_cannot_be_read_is_a_fault(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")

    assert faults(read, KEYED % "a") == (".env: cannot be read; it is a readable text file in UTF-8",)
