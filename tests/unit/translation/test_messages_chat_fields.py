"""Each field of a chat request is said in the Messages API, refused, left out on purpose, or not known."""

from typing import Any

import pytest
from openai.types.chat import completion_create_params

from web.translation.capabilities import features_of
from web.translation.messages_chat import KNOWN, from_chat
from web.translation.messages_chat.request_from_chat import DROPPED, SAID
from web.translation.untranslatable import Untranslatable

CLAUDE = features_of("claude-sonnet-4-5", prompt_caching=False)
FUNCTION = {"type": "function", "function": {"name": "now"}}
VALUES: dict[str, Any] = {
    "functions": [{"name": "now"}],
    "max_completion_tokens": 7,
    "max_tokens": 7,
    "messages": [{"role": "user", "content": "Bye"}],
    "modalities": ["text", "audio"],
    "model": "other",
    "n": 2,
    "parallel_tool_calls": False,
    "reasoning_effort": "high",
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    "safety_identifier": "u",
    "stop": "END",
    "stream": True,
    "temperature": 0.5,
    "tool_choice": "required",
    "tools": [FUNCTION, FUNCTION],
    "top_p": 0.5,
    "user": "u",
    "web_search_options": {},
}
"""A value of each field that is said."""


def said(**fields: Any) -> dict[str, Any] | None:
    """The Messages request; None where it is refused."""
    try:
        return from_chat(
            {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [FUNCTION], **fields}, CLAUDE
        )
    except Untranslatable:
        return None


def test_each_field_has_a_value_here() -> None:
    assert VALUES.keys() == SAID


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_field_that_is_said_changes_the_request(name: str) -> None:
    assert said(**{name: VALUES[name]}) != said()


@pytest.mark.parametrize("value", [True, 7, "x", {"a": 1}, ["a"]])
@pytest.mark.parametrize("name", sorted(DROPPED))
def test_a_field_that_is_dropped_changes_nothing(name: str, value: Any) -> None:
    assert said(**{name: value}) == said()


def test_all_that_openai_has_in_chat_is_known() -> None:
    """Else a new field would keep the prompts of ordinary clients from being cached."""
    of_openai = {
        *completion_create_params.CompletionCreateParamsBase.__annotations__,
        *completion_create_params.CompletionCreateParamsStreaming.__annotations__,
    }

    assert of_openai - KNOWN == set()
