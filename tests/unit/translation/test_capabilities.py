"""What a provider's model refuses is left out of what is translated for it."""

from typing import Any

import pytest

from shared.domain.catalog import Model, Provider
from web.translation import pairs

THINKING: dict[str, dict[str, Any]] = {
    "messages": {"max_tokens": 9, "messages": [], "output_config": {"effort": "high"}},
    "responses": {"input": [], "reasoning": {"effort": "high"}},
    "chat": {"messages": [], "reasoning_effort": "high"},
}
"""A request for a high effort in each API."""


def model(name: str, interface: str = "openai") -> Model:
    provider, _, model_id = name.partition("/")
    return Model(name, model_id, Provider(name=provider, base_url="http://x/v1", interface=interface))


def efforts(name: str) -> set[str | None]:
    """What a model of this name is told of the effort, whichever way the request takes."""
    ways = [("messages", "chat"), ("messages", "responses"), ("responses", "chat"), ("chat", "responses")]
    said = [pairs.request(THINKING[source], source, target, model(name)) for source, target in ways]
    return {each.get("reasoning_effort") or each.get("reasoning", {}).get("effort") for each in said}


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o-mini",
        "openai/gpt-4.1",
        "openai/gpt-4-turbo",
        "openai/gpt-3.5-turbo",
        "openai/chatgpt-4o-latest",
        "openai/ft:gpt-4o-mini-2024-07-18:us::1",
        "azure_openai/gpt-35-turbo",
        "edenai/openai/gpt-4o",
    ],
)
def test_a_model_of_openai_that_does_not_reason_is_told_no_effort(name: str) -> None:
    assert efforts(name) == {None}


@pytest.mark.parametrize("name", ["openai/gpt-5.4", "openai/o3", "groq/openai/gpt-oss-120b", "own/my-gpt-4"])
def test_any_other_model_is_told_the_effort(name: str) -> None:
    assert efforts(name) == {"high"}
