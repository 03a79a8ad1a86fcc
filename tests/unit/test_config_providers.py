"""Providers, their URLs, and the models they serve."""

import pytest

from shared.config import Config
from tests.unit.config_files import Read, faults


def base_url(config: Config) -> str:
    return config.catalog.models[0].provider.base_url


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("openai", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1"),
        ("deepseek", "https://api.deepseek.com/v1"),
        ("mistral", "https://api.mistral.ai/v1"),
        ("xai", "https://api.x.ai/v1"),
        ("together_ai", "https://api.together.xyz/v1"),
        ("moonshotai", "https://api.moonshot.ai/v1"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("zhipu", "https://open.bigmodel.cn/api/paas/v4"),
        ("openrouter", "https://openrouter.ai/api/v1"),
        ("vercel", "https://ai-gateway.vercel.sh/v1"),
        ("digitalocean", "https://inference.do-ai.run/v1"),
        ("edenai", "https://api.edenai.run/v3/llm"),
        ("xiaomi", "https://api.xiaomimimo.com/v1"),
    ],
)
def test_a_known_provider_has_a_url_and_an_interface(read: Read, name: str, url: str) -> None:
    provider = read(f"model_providers: [{{model: {name}/some/model}}]").catalog.models[0].provider

    assert (provider.name, provider.base_url, provider.interface) == (name, url, name)
    assert provider.access_key is None


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("http://host/v1/", "http://host/v1"),
        ("https://host/coding/v4", "https://host/coding/v4"),
    ],
)
def test_a_base_url_without_a_path_means_v1(read: Read, given: str, used: str) -> None:
    config = read(f"model_providers: [{{model: openai/a, base_url: '{given}'}}]")

    assert base_url(config) == used


@pytest.mark.parametrize("url", ["https://x.openai.azure.com", "https://x.azure.com/openai?api-version=1"])
def test_the_url_of_azure_is_kept_as_given(read: Read, url: str) -> None:
    config = read(f"model_providers: [{{model: azure_openai/a, base_url: '{url}'}}]")

    assert base_url(config) == url
    assert config.catalog.models[0].provider.interface == "azure_openai"


def test_a_model_server_of_ones_own_needs_a_url_only(read: Read) -> None:
    config = read("model_providers: [{model: ollama/llama3.1, base_url: 'http://localhost:11434'}]")

    assert base_url(config) == "http://localhost:11434/v1"
    assert config.catalog.models[0].provider.interface == "openai"


@pytest.mark.parametrize("name", ["amazon_bedrock", "arch", "chatgpt", "edenai", "plano", "qwen", "xiaomi"])
def test_every_provider_of_the_reference_is_known_where_its_address_is_given(read: Read, name: str) -> None:
    provider = read(f"model_providers: [{{model: {name}/a, base_url: 'http://h'}}]").catalog.models[0].provider

    assert provider.base_url == "http://h/v1"


def test_claude_is_a_synonym_of_the_anthropic_interface(read: Read) -> None:
    config = read("model_providers: [{model: my/a, base_url: 'http://h', provider_interface: claude}]")

    assert config.catalog.models[0].provider.interface == "anthropic"


def test_an_unknown_provider_needs_a_url_and_an_interface(read: Read) -> None:
    right = "such as http://host:8000/v1"

    assert faults(read, "model_providers: [{model: my/a}, {model: ollama/b}]") == (
        "model_providers[0].provider_interface: is missing; say whose API 'my' speaks, such as openai",
        f"model_providers[0].base_url: is missing; say where the API of 'my' is, {right}",
        f"model_providers[1].base_url: is missing; say where the API of 'ollama' is, {right}",
    )


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("host:80", "is 'host:80'; it is a URL that starts with http:// or https://"),
        ("http://", "names no host; it is scheme://host, with port and path as needed"),
        ("http://h:99999", "has no valid host and port; a port is a number from 1 to 65535"),
        ("http://[::1", "has no valid host and port; a port is a number from 1 to 65535"),
        ("http://h/v1?a=b", "has a query or a fragment; it ends with the path"),
    ],
)
def test_a_base_url_that_cannot_work_is_refused(read: Read, url: str, fault: str) -> None:
    text = f"model_providers: [{{model: my/a, base_url: '{url}', provider_interface: openai}}]"

    assert faults(read, text) == (f"model_providers[0].base_url: {fault}",)


def test_a_provider_has_its_credential_and_headers(read: Read) -> None:
    text = "model_providers: [{model: openai/a, access_key: sk-1, headers: {X-Team: a, X-Org: '1'}}]"

    provider = read(text).catalog.models[0].provider

    assert provider.access_key == "sk-1"
    assert provider.headers == (("x-team", "a"), ("x-org", "1"))


def test_a_header_that_could_not_be_sent_is_refused(read: Read) -> None:
    text = 'model_providers: [{model: openai/a, headers: {"X Team": a, X-Org: "a\\nb", X-Id: 1}}]'
    right = "it is a text of printable ASCII, quoted if it is a number"

    assert faults(read, text) == (
        "model_providers[0].headers.X Team: is 'X Team'; it is the name of an HTTP header",
        f"model_providers[0].headers.X-Org: is not usable; {right}",
        f"model_providers[0].headers.X-Id: is a whole number; {right}",
    )


@pytest.mark.parametrize("name", ["gpt", "/gpt", "openai/", "*", "*/a", "openai/gpt-*", "open ai/a"])
def test_a_model_is_named_with_its_provider(read: Read, name: str) -> None:
    (fault,) = faults(read, f"model_providers: [{{model: '{name}'}}]")

    assert fault.startswith(f"model_providers[0].model: is '{name}'; it is provider/model")


def test_two_ports_of_one_host_stay_two_providers(read: Read) -> None:
    text = """
    model_providers:
      - {model: ollama/a, base_url: "http://h:1"}
      - {model: ollama/b, base_url: "http://h:2"}
    """

    urls = [model.provider.base_url for model in read(text).catalog.models]

    assert urls == ["http://h:1/v1", "http://h:2/v1"]


def test_a_model_or_a_name_twice_is_refused(read: Read) -> None:
    text = """
    model_providers:
      - {model: openai/a, name: x}
      - {model: openai/a}
      - {model: openai/b, name: x}
      - {model: openai/c, name: openai/b}
    """

    assert faults(read, text) == (
        "model_providers[1].model: is 'openai/a', as in model_providers[0]; keep one of them",
        "model_providers[2].name: is 'x', as in model_providers[0]; choose another",
        "model_providers[3].name: is 'openai/b', another model; choose another",
    )


def test_one_model_is_the_default(read: Read) -> None:
    catalog = read("model_providers: [{model: openai/a}, {model: openai/b, default: true}]").catalog

    assert catalog.get(None).name == "openai/b"


def test_there_need_not_be_a_default(read: Read) -> None:
    assert read("model_providers: [{model: openai/a}]").catalog.default is None


def test_a_second_or_a_wildcard_default_is_refused(read: Read) -> None:
    text = """
    model_providers:
      - {model: openai/a, default: true}
      - {model: openai/b, default: true}
      - {model: openai/*, default: true}
    """

    assert faults(read, text) == (
        "model_providers[1].default: is true, as in model_providers[0]; one model is the default",
        "model_providers[2].default: is true for a wildcard; the default is a single model",
    )


def test_a_wildcard_serves_every_model_of_its_provider(read: Read) -> None:
    catalog = read("model_providers: [{model: openai/*, access_key: a}, {model: openai/b}]").catalog

    assert [model.name for model in catalog.models] == ["openai/b"]
    assert catalog.get("openai/anything").provider.access_key == "a"
    assert catalog.get("openai/b").provider.access_key is None


def test_the_name_of_a_provider_is_another_name_of_its_model(read: Read) -> None:
    catalog = read("model_providers: [{model: openai/a, name: mine}, {model: openai/b, name: a}]").catalog

    assert catalog.qualify("mine") == "openai/a"
    assert catalog.qualify("a") == "openai/a"


@pytest.mark.parametrize(
    ("target", "name"),
    [("openai/a", "openai/a"), ("a", "openai/a"), ("mine", "openai/a"), ("ollama/x", "ollama/x")],
)
def test_an_alias_names_a_model_in_any_way(read: Read, target: str, name: str) -> None:
    text = f"""
    model_providers: [{{model: openai/a, name: mine}}, {{model: ollama/*, base_url: "http://h"}}]
    model_aliases: {{fast.one: {{target: {target}}}}}
    """

    assert read(text).catalog.qualify("fast.one") == name


def test_a_bare_alias_target_may_be_any_model_of_the_only_wildcard(read: Read) -> None:
    """As in the reference; the wildcard that serves the router model does not count."""
    text = """
    model_providers: [{model: openai/*}, {model: plano/*, base_url: "http://h"}, {model: mistral/small}]
    model_aliases: {fast: {target: gpt-4o}, small: {target: small}}
    overrides: {llm_routing_model: plano/Arch-Router}
    """

    catalog = read(text).catalog

    assert catalog.get("fast").name == "openai/gpt-4o"
    assert catalog.get("small").name == "mistral/small"


def test_a_bare_alias_target_of_several_wildcards_is_ambiguous(read: Read) -> None:
    text = "model_providers: [{model: openai/*}, {model: groq/*}]\nmodel_aliases: {fast: {target: gpt-4o}}"

    assert faults(read, text) == (
        (
            "model_aliases.fast.target: is 'gpt-4o', which more than one wildcard may serve; "
            "it is openai/gpt-4o or groq/gpt-4o"
        ),
    )


def test_an_alias_of_nothing_or_of_an_alias_is_refused(read: Read) -> None:
    text = """
    model_providers: [{model: openai/gpt-4o}]
    model_aliases: {a: {target: openai/gpt-4}, b: {target: c}, c: {target: gpt-4o}}
    """
    nearest = "the nearest name is openai/gpt-4o"

    assert faults(read, text) == (
        f"model_aliases.a.target: is 'openai/gpt-4', which is not configured; {nearest}",
        "model_aliases.b.target: is 'c', an alias itself; it is a model's name",
    )
