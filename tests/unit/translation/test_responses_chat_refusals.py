"""What cannot be said on the other side is refused by its name, and nothing that a client sends breaks us."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadRequest, UpstreamFailed
from web.translation.capabilities import Features
from web.translation.responses_chat import (
    StreamFromChat,
    StreamToChat,
    answer_from_chat,
    answer_to_chat,
    from_chat,
    to_chat,
)
from web.translation.untranslatable import Untranslatable

USER = {"role": "user", "content": "Hi"}


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [USER, fields]}


TO_CHAT: list[tuple[dict[str, Any], str, str]] = [
    ({"tools": [{"type": "web_search"}]}, "tools[0]", "web_search"),
    ({"tools": [{"type": "web_search", "external_web_access": True}]}, "tools[0]", "web_search"),
    ({"tools": [{"type": "function", "name": "a"}, {"type": "code_interpreter"}]}, "tools[1]", "code_interpreter"),
    ({"tools": [{"type": "mcp", "server_label": "a"}]}, "tools[0]", "mcp"),
    ({"tools": [{"type": "computer"}]}, "tools[0]", "computer"),
    ({"tools": [{"type": "tool_search", "execution": "server"}]}, "tools[0]", "tool_search"),
    ({"tool_choice": {"type": "file_search"}}, "tool_choice", "file_search"),
    ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation", "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt", "prompt"),
    ({"background": True}, "background", "background"),
    (item(type="compaction", encrypted_content="gAAA"), "input[1]", "compaction"),
    (item(type="item_reference", id="msg_1"), "input[1]", "item_reference"),
    (item(type="computer_call"), "input[1]", "computer_call"),
    (item(role="user", content=[{"type": "input_image", "file_id": "f"}]), "input[1].content[0]", "input_image"),
    (
        item(role="user", content=[{"type": "input_file", "file_url": "https://a"}]),
        "input[1].content[0]",
        "input_file",
    ),
    (item(role="user", content=[{"type": "input_video"}]), "input[1].content[0]", "input_video"),
    (item(role="critic", content="Hm"), "input[1].role", "critic"),
]
FROM_CHAT: list[tuple[dict[str, Any], str, str]] = [
    ({"stop": ["\n"]}, "stop", "stop"),
    ({"n": 2}, "n", "n is not 1"),
    ({"audio": {"voice": "a"}}, "audio", "audio"),
    ({"functions": [{"name": "a"}]}, "functions", "functions"),
    ({"tools": [{"type": "retrieval"}]}, "tools[0]", "retrieval"),
    (
        {"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": {"type": "retrieval"}},
        "tool_choice",
        "retrieval",
    ),
    ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].role", "function"),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        "messages[0].content[0]",
        "input_audio",
    ),
    (
        {"messages": [{"role": "assistant", "content": None, "function_call": {"name": "a"}}]},
        "messages[0].function_call",
        "function_call",
    ),
]


@pytest.mark.parametrize(("fields", "param", "named"), TO_CHAT)
def test_what_chat_cannot_say_is_refused_by_name(fields: dict[str, Any], param: str, named: str) -> None:
    with pytest.raises(Untranslatable, match=named) as refused:
        to_chat({"model": "m", "input": [USER], **fields}, Features())

    assert refused.value.param == param


@pytest.mark.parametrize(("fields", "param", "named"), FROM_CHAT)
def test_what_responses_cannot_say_is_refused_by_name(fields: dict[str, Any], param: str, named: str) -> None:
    with pytest.raises(Untranslatable, match=named) as refused:
        from_chat({"model": "m", "messages": [USER], **fields}, Features())

    assert refused.value.param == param


def test_codex_is_told_how_to_switch_its_search_off() -> None:
    with pytest.raises(Untranslatable, match='web_search = "disabled"'):
        to_chat({"model": "m", "input": "Hi", "tools": [{"type": "web_search"}]}, Features())


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}, {"choices": "none"}])
def test_an_answer_that_is_no_completion_is_the_providers_failure(answer: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed):
        answer_from_chat(answer, {})


@pytest.mark.parametrize(
    "answer", [{}, {"output": None}, {"status": "failed", "output": [], "error": {"message": "x"}}]
)
def test_an_answer_that_is_no_response_is_the_providers_failure(answer: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed):
        answer_to_chat(answer)


quick = settings(deadline=None, database=None, max_examples=60)

_words = st.sampled_from(
    [
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "reasoning",
        "additional_tools",
        "tool_search_output",
        "namespace",
        "function",
        "custom",
        "tool_search",
        "user",
        "assistant",
        "system",
        "tool",
        "developer",
        "input_text",
        "input_image",
        "input_file",
        "refusal",
        "text",
        "image_url",
        "file",
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.completed",
        "response.failed",
        "error",
        "json_schema",
        "plano:chat:{",
        "call_1",
    ]
)
_keys = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "input",
        "output",
        "tools",
        "messages",
        "tool_calls",
        "function",
        "custom",
        "name",
        "namespace",
        "arguments",
        "call_id",
        "id",
        "text",
        "image_url",
        "file",
        "url",
        "summary",
        "encrypted_content",
        "choices",
        "delta",
        "message",
        "index",
        "output_index",
        "item",
        "response",
        "usage",
        "error",
        "finish_reason",
        "tool_choice",
        "reasoning",
        "effort",
        "format",
        "execution",
        "instructions",
        "refusal",
        "parameters",
        "logprobs",
        "status",
        "input_tokens",
        "prompt_tokens",
        "code",
        "mode",
        "extra_content",
    ]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=25,
)
_objects = st.dictionaries(_keys, _json, max_size=6)


@quick
@given(body=_objects)
def test_whatever_a_client_sends_is_translated_or_refused(body: dict[str, Any]) -> None:
    for translate in (to_chat, from_chat):
        try:
            translate(body, Features())
        except BadRequest as refused:
            assert str(refused)  # noqa: PT017 - the one error that is an answer


@quick
@given(answer=_objects)
def test_whatever_a_provider_answers_is_translated_or_its_failure(answer: dict[str, Any]) -> None:
    for translate in (answer_to_chat, lambda said: answer_from_chat(said, {})):
        try:
            translate(answer)
        except UpstreamFailed as failed:
            assert str(failed)  # noqa: PT017 - the one error that is an answer


@quick
@given(events=st.lists(_objects, max_size=6))
def test_whatever_a_provider_streams_the_stream_ends(events: list[dict[str, Any]]) -> None:
    for stream in (StreamFromChat({}), StreamToChat({})):
        out = [piece for data in events for piece in stream.event(None, data)]
        out += stream.end()

        assert b"[DONE]" in out[-1] or b"error" in out[-1] or b"response.completed" in out[-1]
        assert stream.end() == []
