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

THOUGHT: dict[str, dict[str, Any]] = {
    "messages": {
        "max_tokens": 9,
        "messages": [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I look.", "signature": ""},
                    {"type": "tool_use", "id": "c", "name": "now", "input": {}},
                ],
            }
        ],
    },
    "responses": {
        "input": [
            {
                "type": "reasoning",
                "id": "r",
                "summary": [{"type": "summary_text", "text": "I look."}],
                "encrypted_content": "plano:chat:{}",
            },
            {"type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"},
        ]
    },
}
"""A conversation in each API that holds reasoning of a chat provider."""


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


def reasoning(name: str, interface: str) -> list[str | None]:
    """What a chat provider is sent of the reasoning in each conversation."""
    sent = [pairs.request(body, api, "chat", model(name, interface)) for api, body in THOUGHT.items()]
    assert all(body["messages"][0]["tool_calls"] for body in sent)
    return [body["messages"][0].get("reasoning_content") for body in sent]


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        *(
            (f"{name}/m", name)
            for name in ("azure_openai", "gemini", "groq", "mistral", "openai", "together_ai", "xai")
        ),
        ("cerebras/m", "openai"),
        ("fast/m", "groq"),
    ],
)
def test_a_provider_that_refuses_its_own_reasoning_is_not_sent_it(name: str, interface: str) -> None:
    assert reasoning(name, interface) == [None, None]


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        *((f"{name}/m", name) for name in ("deepseek", "moonshotai", "openrouter", "xiaomi", "zhipu")),
        ("qwen/m", "openai"),
        ("vllm/m", "openai"),
    ],
)
def test_a_provider_that_may_want_its_reasoning_back_in_a_loop_of_tools_has_it(name: str, interface: str) -> None:
    assert reasoning(name, interface) == ["I look."] * 2
