"""Which router the file asks for."""

from pathlib import Path

import pytest

from shared.config.routing_section import Router
from tests.unit.config_files import Read, faults

ONE = "model_providers: [{model: openai/a, default: true}]\n"
ROUTER = """
model_providers:
  - {model: openai/a}
  - {model: plano/hf.co/katanemo/Arch-Router, name: router, base_url: "http://h:1", access_key: sk-r}
"""


def test_the_router_is_embedded_when_nothing_else_is_said(read: Read) -> None:
    assert read(ONE).router is None


@pytest.mark.parametrize("name", ["plano/hf.co/katanemo/Arch-Router", "hf.co/katanemo/Arch-Router", "router"])
def test_a_provider_may_serve_the_router_model(read: Read, name: str) -> None:
    """The id that is sent is what follows the provider, slashes included."""
    config = read(f"{ROUTER}overrides: {{llm_routing_model: {name}}}")

    assert config.router == Router(url="http://h:1/v1", model="hf.co/katanemo/Arch-Router", api_key="sk-r")


def test_the_router_model_is_not_for_clients(read: Read) -> None:
    catalog = read(f"{ROUTER}overrides: {{llm_routing_model: router}}").catalog

    assert [model.name for model in catalog.models] == ["openai/a"]
    assert catalog.find("plano/hf.co/katanemo/Arch-Router") is None
    assert catalog.find("router") is None


def test_a_wildcard_may_serve_the_router_model(read: Read) -> None:
    text = """
    model_providers: [{model: openai/a}, {model: plano/*, base_url: "http://h:1"}]
    overrides: {llm_routing_model: plano/Arch-Router}
    """

    assert read(text).router == Router(url="http://h:1/v1")


def test_the_former_name_of_the_router_model_is_read_with_a_warning(read: Read) -> None:
    config = read(f"{ROUTER}overrides: {{router_model: router}}")

    assert config.router == Router(url="http://h:1/v1", model="hf.co/katanemo/Arch-Router", api_key="sk-r")
    assert config.warnings == ("overrides.router_model is deprecated; rename it to llm_routing_model",)


def test_embedded_wins_over_a_router_model(read: Read) -> None:
    config = read(f"{ROUTER}overrides: {{llm_routing_model: router}}\nrouting: {{router: embedded}}")

    assert config.router is None
    assert [model.name for model in config.catalog.models] == ["openai/a"]


def test_a_router_may_be_described_in_full(read: Read, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("{routes} {conversation}", "utf-8")
    text = "{url: 'http://r:1/', model: m, api_key: k, prompt_file: prompt.txt, timeout_ms: 9}"

    config = read(f"{ONE}routing: {{router: {text}}}")

    prompt = str(tmp_path / "prompt.txt")
    assert config.router == Router(url="http://r:1/v1", model="m", api_key="k", prompt_file=prompt, timeout_ms=9)


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("absent.txt", "cannot be read; it is a text file in UTF-8, its path starting at the config file"),
        ("bad.txt", "lacks a placeholder; its text holds {routes} and {conversation}"),
    ],
)
def test_a_prompt_file_is_looked_into(read: Read, tmp_path: Path, file: str, fault: str) -> None:
    (tmp_path / "bad.txt").write_text("{routes}", "utf-8")

    found = faults(read, f"{ONE}routing: {{router: {{url: 'http://r', prompt_file: {file}}}}}")

    assert found == (f"routing.router.prompt_file: {fault}",)


@pytest.mark.parametrize(
    ("router", "fault"),
    [
        ("remote", ": is 'remote'; it is auto, embedded or a mapping"),
        ("{model: a}", ".url: is missing; it is a URL that starts with http:// or https://"),
        ("{url: 'http://'}", ".url: names no host; it is scheme://host, with port and path as needed"),
        ("{url: 'http://h', timeout_ms: 0}", ".timeout_ms: is 0; it is a whole number of at least 1"),
    ],
)
def test_a_router_that_cannot_work_is_refused(read: Read, router: str, fault: str) -> None:
    assert faults(read, f"{ONE}routing: {{router: {router}}}") == (f"routing.router{fault}",)


def test_a_router_model_that_nothing_serves_is_refused(read: Read) -> None:
    assert faults(read, f"{ONE}overrides: {{llm_routing_model: my/router}}") == (
        (
            "overrides.llm_routing_model: is 'my/router', which no provider serves; "
            "name one of model_providers, or leave it out for the embedded router"
        ),
    )


@pytest.mark.parametrize("name", ["Arch-Router", "Plano-Orchestrator", "plano/Plano-Orchestrator"])
def test_a_router_model_that_the_reference_hosts_is_replaced_by_the_embedded_router(read: Read, name: str) -> None:
    config = read(f"{ONE}overrides: {{llm_routing_model: {name}}}")

    assert config.router is None
    assert config.warnings == (
        f"overrides.llm_routing_model: no provider serves {name}; the embedded router decides in its place",
    )


@pytest.mark.parametrize("model", ["Arch-Router", "Plano-Orchestrator"])
@pytest.mark.parametrize("served", ["plano/*", "plano/{model}"])
def test_a_router_model_may_be_named_without_its_provider(read: Read, model: str, served: str) -> None:
    text = f"""
    model_providers: [{{model: openai/a}}, {{model: {served.format(model=model)}, base_url: "http://h:1"}}]
    overrides: {{llm_routing_model: {model}}}
    """

    assert read(text).router == Router(url="http://h:1/v1", model=model)


def test_a_router_model_alone_answers_nobody(read: Read) -> None:
    assert faults(read, f"{ONE}overrides: {{llm_routing_model: openai/a}}") == (
        "model_providers: holds the router model only; name a model that answers requests",
        "model_providers[0].default: is true for the router model; choose one that answers",
    )
