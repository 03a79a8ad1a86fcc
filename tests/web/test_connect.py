"""`plano connect` says what a client needs, writes it where the client looks, and tries it."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.cli import main
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.wire import Answer, Request, error
from tests.harness import Pool, running
from tests.web.gateway import Gateway, Webs
from tests.web.sites import KEYS

KEY = "a-secret-key"
SEARCHING = """
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: "{url}", access_key: sk}}
  - {{model: house/a, base_url: "{url}", provider_interface: openai}}
routing: {{session_cache: {{type: memory}}}}
"""


class Plano(Provider):
    """Stands for a gateway that wants a key."""

    def respond(self, request: Request) -> Answer:
        """The provider's answer with our headers."""
        if KEY not in (request.header("authorization") or request.header("x-api-key") or ""):
            return error(401, "The API key is not known here")
        named = request.header("x-claude-code-session-id") or request.header("session-id")
        session = (("x-plano-session", "an-agent"),) if named else ()
        return super().respond(request).plus(("x-plano-model", "openai/gpt-5.2"), *session)


@pytest.fixture(scope="module")
def plano() -> Iterator[Plano]:
    with Plano() as plano:
        yield plano


def connect(home: Path, *arguments: str, **env: str) -> Result:
    clean = {"HOME": str(home), "PLANO_KEY": "", "CLAUDE_CONFIG_DIR": "", "CODEX_HOME": "", "XDG_CONFIG_HOME": ""}
    return CliRunner().invoke(main, ["connect", *arguments], env={**clean, **env})


@pytest.mark.parametrize("client", ["claude", "codex", "opencode", "openai", "anthropic"])
def test_each_client_is_told_the_address_and_tried(plano: Plano, tmp_path: Path, client: str) -> None:
    said = connect(tmp_path, client, "--url", f"{plano.url}/", PLANO_KEY=KEY)

    assert said.exit_code == 0, said.output
    assert f"http://127.0.0.1:{plano.port}" in said.output
    assert "200 in " in said.output
    assert "openai/gpt-5.2" in said.output
    assert KEY not in said.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("client", "path"),
    [("claude", "/v1/messages"), ("codex", "/v1/responses"), ("opencode", "/v1/chat/completions")],
)
def test_it_is_tried_by_the_clients_own_api_and_session(plano: Plano, tmp_path: Path, client: str, path: str) -> None:
    said = connect(tmp_path, client, "--url", plano.url, PLANO_KEY=KEY)

    assert plano.requests[-1].path == path
    assert ("session" in said.output) is (client != "opencode") or "has not seen" in said.output


def test_variables_are_as_a_shell_reads_them(plano: Plano, tmp_path: Path) -> None:
    lines = connect(tmp_path, "claude", "--url", plano.url, PLANO_KEY=KEY).output.splitlines()

    assert f"export ANTHROPIC_BASE_URL=http://127.0.0.1:{plano.port}" in lines
    assert 'export ANTHROPIC_AUTH_TOKEN="$PLANO_KEY"' in lines
    assert "export ANTHROPIC_MODEL=claude-sonnet-4-20250514" in lines
    assert "export ANTHROPIC_DEFAULT_HAIKU_MODEL=gpt-4o-mini" in lines


def test_claude_codes_settings_are_written_after_a_copy(plano: Plano, tmp_path: Path) -> None:
    path = tmp_path / ".claude/settings.json"
    path.parent.mkdir()
    path.write_text('{"theme": "dark", "env": {"A": "1"}}')

    said = connect(tmp_path, "claude", "--url", plano.url, "--write", PLANO_KEY=KEY)

    assert said.exit_code == 0, said.output
    written = json.loads(path.read_text())
    assert written["theme"] == "dark"
    assert written["env"] == {
        "A": "1",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{plano.port}",
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": "claude-sonnet-4-20250514",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "gpt-4o-mini",
    }
    assert path.with_name("settings.json.before-plano").read_text() == '{"theme": "dark", "env": {"A": "1"}}'
    assert '+    "ANTHROPIC_AUTH_TOKEN": "$PLANO_KEY",' in said.output
    assert KEY not in said.output

    again = connect(tmp_path, "claude", "--url", plano.url, "--write", PLANO_KEY=KEY)

    assert "says so already" in again.output
    assert len(list(path.parent.iterdir())) == 2


def test_codex_gets_a_provider_and_keeps_its_comments(plano: Plano, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere/config.toml"
    path.parent.mkdir()
    path.write_text('# mine\nmodel = "old"\n\n[tools]\nweb_search = true\n')

    said = connect(
        tmp_path, "codex", "--url", plano.url, "--write", "--model", "m/1", PLANO_KEY=KEY, CODEX_HOME=str(path.parent)
    )

    assert said.exit_code == 0, said.output
    assert path.read_text().startswith("# mine\n")
    assert tomllib.loads(path.read_text()) == {
        "model": "m/1",
        "model_provider": "plano",
        "tools": {"web_search": True},
        "model_providers": {
            "plano": {"name": "plano", "base_url": plano.url, "wire_api": "responses", "env_key": "PLANO_KEY"}
        },
    }


def test_opencode_gets_the_models_that_the_gateway_lists(plano: Plano, tmp_path: Path) -> None:
    connect(tmp_path, "opencode", "--url", plano.url, "--write", PLANO_KEY=KEY)

    written = json.loads((tmp_path / ".config/opencode/opencode.json").read_text())
    assert written["model"] == written["small_model"] == "plano/gpt-4o-mini"
    assert list(written["provider"]["plano"]["models"]) == ["gpt-4o-mini", "gpt-5.2", "claude-sonnet-4-20250514"]
    assert written["provider"]["plano"]["options"] == {"baseURL": plano.url, "apiKey": "{env:PLANO_KEY}"}


def test_an_sdk_has_no_file_to_write(plano: Plano, tmp_path: Path) -> None:
    said = connect(tmp_path, "openai", "--url", plano.url, "--write", PLANO_KEY=KEY)

    assert said.exit_code == 1
    assert "no settings file" in said.output


def test_a_missing_key_is_told_and_nothing_is_written(plano: Plano, tmp_path: Path) -> None:
    said = connect(tmp_path, "claude", "--url", plano.url, "--write")

    assert said.exit_code == 1
    assert "PLANO_KEY" in said.output
    assert not list(tmp_path.iterdir())


def test_where_nobody_answers_nothing_is_written(tmp_path: Path) -> None:
    said = connect(tmp_path, "codex", "--url", f"http://127.0.0.1:{free_port()}", "--write")

    assert said.exit_code == 1
    assert "nobody answers" in said.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["localhost:12000", "ftp://x", "http://", "http://x?y", "http://[x"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    said = connect(tmp_path, "claude", "--url", url)

    assert said.exit_code == 1
    assert said.output.startswith("--url: ")


def test_somebody_else_is_no_gateway(tmp_path: Path) -> None:
    with Provider() as provider:
        said = connect(tmp_path, "openai", "--url", provider.url)

    assert said.exit_code == 1
    assert "is no gateway of this kind" in said.output


def test_it_works_with_a_gateway(web: Gateway, webs: Webs, tmp_path: Path) -> None:
    free = connect(tmp_path, "openai", "--url", web.base_url)
    keyed = connect(tmp_path, "openai", "--url", webs.strict.base_url, PLANO_KEY=KEYS["team"])
    unknown = connect(tmp_path, "openai", "--url", web.base_url, "--model", "no/such")

    assert free.exit_code == keyed.exit_code == 0, free.output + keyed.output
    assert "openai/gpt-4o-mini" in free.output
    assert "send X-Model-Affinity" in free.output
    assert unknown.exit_code == 1
    assert "'no/such' is not configured" in unknown.output


@pytest.mark.parametrize("client", ["claude", "codex", "opencode", "anthropic"])
def test_each_client_is_served_in_its_own_api(web: Gateway, tmp_path: Path, client: str) -> None:
    said = connect(tmp_path, client, "--url", web.base_url, "--model", "openai/gpt-4o-mini")

    assert said.exit_code == 0, said.output
    named = {"claude": "claude-code", "anthropic": None}.get(client, client)
    assert (f"session      {named}" in said.output) is (named is not None)


def test_codex_is_told_where_nobody_searches_the_web(tmp_path: Path) -> None:
    """It sends that tool with every request, and a provider without it would refuse each."""
    with (
        Provider() as provider,
        running(Pool(tmp_path, SEARCHING.format(url=provider.url), "redis://unused")) as pool,
    ):
        port = free_port()
        pool.web(port)
        said = [
            connect(tmp_path, "codex", "--url", f"http://127.0.0.1:{port}", "--model", model).output
            for model in ("openai/gpt-4o-mini", "house/a")
        ]

    assert ['web_search = "disabled"' in output for output in said] == [False, True]
    assert all("200 in " in output for output in said)
