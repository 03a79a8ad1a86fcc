"""A Responses request as one of chat, and back: what each thing to be kept becomes."""

from typing import Any

import pytest

from tests.unit.translation.openai_types import check_chat_request, check_responses_request
from web.translation.capabilities import Features
from web.translation.responses_chat import from_chat, to_chat

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather",
    "parameters": SCHEMA,
    "strict": False,
}
CHAT_FUNCTION = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA},
}
FORMAT = {"name": "Person", "schema": SCHEMA, "strict": True}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Paris"}'}
CHAT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "limit": ({"max_output_tokens": 99}, {"max_completion_tokens": 99}),
    "effort": ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
    "sampling": ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
    "user": ({"user": "u-1"}, {"user": "u-1"}),
    "schema": (
        {"text": {"format": {"type": "json_schema", **FORMAT}}},
        {"response_format": {"type": "json_schema", "json_schema": FORMAT}},
    ),
    "json": ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
    "logprobs": (
        {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
        {"logprobs": True, "top_logprobs": 3},
    ),
    "tools": ({"tools": [FUNCTION]}, {"tools": [CHAT_FUNCTION]}),
    "strict": (
        {"tools": [{**FUNCTION, "strict": True}]},
        {"tools": [{"type": "function", "function": {**CHAT_FUNCTION["function"], "strict": True}}]},  # type: ignore[dict-item]
    ),
    "any tool": (
        {"tools": [FUNCTION], "tool_choice": "required"},
        {"tools": [CHAT_FUNCTION], "tool_choice": "required"},
    ),
    "no tool": ({"tools": [FUNCTION], "tool_choice": "none"}, {"tools": [CHAT_FUNCTION], "tool_choice": "none"}),
    "one tool": (
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "get_weather"}},
        {"tools": [CHAT_FUNCTION], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
    ),
    "one call at a time": (
        {"tools": [FUNCTION], "parallel_tool_calls": False},
        {"tools": [CHAT_FUNCTION], "parallel_tool_calls": False},
    ),
}
"""Fields of a Responses request, and those of a chat request that say the same."""


def said(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "text": ([said("user", "Hi")], [{"role": "user", "content": "Hi"}]),
    "texts": (
        [said("user", [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}])],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
    ),
    "image": (
        [said("user", [{"type": "input_image", "image_url": PNG, "detail": "low"}])],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]}],
    ),
    "image by address": (
        [said("user", [{"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}])],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}],
    ),
    "document": (
        [said("user", [{"type": "input_file", "file_data": PDF, "filename": "a.pdf"}])],
        [{"role": "user", "content": [{"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}}]}],
    ),
    "system later": (
        [said("user", "Hi"), said("assistant", "Ho"), said("system", "Be kind."), said("user", "So?")],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "So?"},
        ],
    ),
    "a call and its result": (
        [said("user", "Hi"), CALL, {"type": "function_call_output", "call_id": "call_1", "output": "sun"}],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        ],
    ),
    "parallel calls after text": (
        [
            said("assistant", "I look."),
            CALL,
            {**CALL, "call_id": "call_2"},
            {"type": "function_call_output", "call_id": "call_2", "output": "rain"},
            {"type": "function_call_output", "call_id": "call_1", "output": "sun"},
        ],
        [
            {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL, {**CHAT_CALL, "id": "call_2"}]},
            {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
            {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        ],
    ),
    "refusal": (
        [said("assistant", [{"type": "refusal", "refusal": "No."}])],
        [{"role": "assistant", "content": None, "refusal": "No."}],
    ),
}
"""Items of an input, and the messages of chat that say the same."""


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_kept_in_both_directions(name: str) -> None:
    responses, chat = FIELDS[name]
    responses = {"model": "m", "input": [said("user", "Hi")], "store": False, **responses}
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **chat}

    assert to_chat(responses, Features()) == chat
    assert from_chat(chat, Features()) == responses
    check_chat_request(chat)
    check_responses_request(responses)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_kept_in_both_directions(name: str) -> None:
    items, messages = CONVERSATIONS[name]

    assert to_chat({"model": "m", "input": items}, Features())["messages"] == messages
    assert from_chat({"model": "m", "messages": messages}, Features())["input"] == items


def test_instructions_are_the_system_message_at_the_beginning() -> None:
    responses = {"model": "m", "instructions": "Be short.", "input": [said("user", "Hi")], "store": False}
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]

    assert to_chat(responses, Features())["messages"] == messages
    assert from_chat({"model": "m", "messages": messages}, Features()) == responses


def test_a_developer_message_reaches_providers_that_know_no_such_role() -> None:
    chat = to_chat({"model": "m", "input": [said("user", "Hi"), said("developer", "Be kind.")]}, Features())

    assert chat["messages"][1] == {"role": "system", "content": "Be kind."}


def test_a_developer_message_of_chat_stays_one() -> None:
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "Hi"}]

    responses = from_chat({"model": "m", "messages": messages}, Features())

    assert responses["input"][0] == said("developer", "Be kind.")


def test_an_image_in_a_result_follows_the_results_in_a_user_message() -> None:
    """Chat's tool messages take text only, and nothing may stand between a call and the results."""
    shown = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG, "detail": "auto"}]
    items = [
        CALL,
        {**CALL, "call_id": "call_2"},
        {"type": "function_call_output", "call_id": "call_1", "output": shown},
        {"type": "function_call_output", "call_id": "call_2", "output": "b"},
    ]

    messages = to_chat({"model": "m", "input": items}, Features())["messages"]

    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user"]
    assert [message["content"] for message in messages[1:3]] == ["a", "b"]
    assert messages[3]["content"] == [
        {"type": "text", "text": "Result of the tool call call_1:"},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]


def test_reasoning_of_openai_is_dropped() -> None:
    items = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}, said("assistant", "Hi")]

    messages = to_chat({"model": "m", "input": items}, Features())["messages"]

    assert messages == [{"role": "assistant", "content": "Hi"}]


def test_what_openai_alone_knows_is_not_sent_to_other_providers() -> None:
    """They refuse fields that they do not know, and Codex sends these with each request."""
    only_openai = {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199f7c2",
        "client_metadata": {"session_id": "0199f7c2"},
        "text": {"verbosity": "low"},
        "service_tier": "auto",
        "truncation": "auto",
    }

    assert to_chat({"model": "m", "input": "Hi", **only_openai}, Features()).keys() == {"model", "messages"}


def test_who_uses_it_is_told_whichever_field_says_so() -> None:
    assert to_chat({"model": "m", "input": "Hi", "safety_identifier": "s-1"}, Features())["user"] == "s-1"


def test_nothing_is_stored_unless_a_chat_client_asks_for_it() -> None:
    messages = [{"role": "user", "content": "Hi"}]

    assert from_chat({"model": "m", "messages": messages}, Features())["store"] is False
    assert from_chat({"model": "m", "messages": messages, "store": True}, Features())["store"] is True


def test_a_choice_among_tools_is_not_sent_without_tools() -> None:
    """Providers refuse that, and the only tool may have been one that is left out."""
    offer = {"type": "web_search", "external_web_access": False}

    chat = to_chat({"model": "m", "input": "Hi", "tools": [offer], "tool_choice": "auto"}, Features())

    assert chat.keys() == {"model", "messages"}


def test_a_tool_in_a_namespace_has_a_name_that_chat_allows() -> None:
    tools = [
        {"type": "namespace", "name": name, "description": "", "tools": [FUNCTION]}
        for name in ("agents", "mcp__weather__", "n" * 70, "n" * 71)
    ]

    names = [
        each["function"]["name"]
        for each in to_chat({"model": "m", "input": "Hi", "tools": tools}, Features())["tools"]
    ]

    assert names[:2] == ["agents__get_weather", "mcp__weather__get_weather"]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 64 for name in names)


def test_a_stream_of_chat_is_asked_for_its_usage() -> None:
    chat = to_chat({"model": "m", "input": "Hi", "stream": True}, Features())

    assert (chat["stream"], chat["stream_options"]) == (True, {"include_usage": True})
