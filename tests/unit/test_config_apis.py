"""Which APIs a provider speaks, and where sessions may be named."""

import pytest

from tests.unit.config_files import Read, faults


def written(entry: str) -> str:
    return f"model_providers: [{{{entry}}}]"


@pytest.mark.parametrize(
    ("entry", "apis"),
    [
        ("model: openai/a", ("chat", "responses")),
        ("model: anthropic/a", ("messages", "chat")),
        ("model: gemini/a", ("chat",)),
        ("model: azure_openai/a, base_url: 'https://a'", ("chat",)),
        ("model: house/a, base_url: 'http://a', provider_interface: openai", ("chat",)),
        ("model: anthropic/a, base_url: 'http://a', provider_interface: openai", ("chat",)),
        ("model: house/a, base_url: 'http://a', provider_interface: anthropic", ("messages", "chat")),
        ("model: house/a, base_url: 'http://a', provider_interface: claude", ("messages", "chat")),
        ("model: openai/a, apis: [responses]", ("responses",)),
    ],
)
def test_a_provider_speaks_what_is_known_of_it_or_said(read: Read, entry: str, apis: tuple[str, ...]) -> None:
    assert read(written(entry)).catalog.models[0].provider.apis == apis


def test_prompt_caching_can_be_turned_off(read: Read) -> None:
    assert read(written("model: anthropic/a")).catalog.models[0].provider.prompt_caching
    assert not read(written("model: anthropic/a, prompt_caching: off")).catalog.models[0].provider.prompt_caching


@pytest.mark.parametrize("apis", ["[soap]", "[]", "chat", "[chat, 7]"])
def test_an_unknown_api_is_a_fault(read: Read, apis: str) -> None:
    (fault,) = faults(read, written(f"model: openai/a, apis: {apis}"))

    assert fault.startswith("model_providers[0].apis: ")
    assert fault.endswith("it is a list of chat, messages and responses")


def test_sessions_may_be_named_where_the_file_says(read: Read) -> None:
    one = written("model: openai/a")

    assert read(one).routing.sessions_from is None
    assert read(f"{one}\nrouting: {{sessions_from: [agents]}}").routing.sessions_from == ("agents",)
    (fault,) = faults(read, f"{one}\nrouting: {{sessions_from: [cookies]}}")
    assert fault.endswith("it is a list of headers, agents and body")
