"""What a request keeps between Messages and chat, thing by thing."""

from typing import Any

import pytest

from shared.errors import BadRequest
from web.translation.capabilities import Features, features_of
from web.translation.messages_chat import carried_reasoning, from_chat, to_chat
from web.translation.messages_chat.tools import fits_strict
from web.translation.untranslatable import Untranslatable

PLAIN = Features(prompt_caching=False)
TOOL = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
FUNCTION = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
EPHEMERAL = {"type": "ephemeral"}


def messages_request(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": list(messages or (user("Hi"),)), **fields}


def chat_request(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages or (user("Hi"),)), **fields}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "now"}, {"type": "function", "function": {"name": "now"}}),
    ],
)
def test_the_choice_among_tools(ours: Any, theirs: Any) -> None:
    chat = to_chat(messages_request(tools=[TOOL], tool_choice=ours), PLAIN)
    back = from_chat(chat_request(tools=[FUNCTION], tool_choice=theirs), PLAIN)

    assert chat["tool_choice"] == theirs
    assert back["tool_choice"] == ours


def test_one_call_at_a_time() -> None:
    chat = to_chat(
        messages_request(tools=[TOOL], tool_choice={"type": "any", "disable_parallel_tool_use": True}), PLAIN
    )
    back = from_chat(chat_request(tools=[FUNCTION], parallel_tool_calls=False), PLAIN)

    assert (chat["tool_choice"], chat["parallel_tool_calls"]) == ("required", False)
    assert back["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_a_result_that_is_an_error_is_one_again_after_chat() -> None:
    """Chat has no field for it: the line is what a model would read anyway."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "no such file", "is_error": True}
    call = {"type": "tool_use", "id": "t1", "name": "now", "input": {}}

    chat = to_chat(messages_request(user("Hi"), assistant([call]), user([result]), tools=[TOOL]), PLAIN)
    back = from_chat(chat, PLAIN)

    assert chat["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "Error:\nno such file"}
    assert back["messages"][-1]["content"] == [{**result, "content": [{"type": "text", "text": "no such file"}]}]


def test_a_result_that_only_speaks_of_an_error_is_none() -> None:
    chat = chat_request({"role": "tool", "tool_call_id": "t1", "content": "Error: no such file"})

    result = from_chat(chat, PLAIN)["messages"][0]["content"][0]

    assert "is_error" not in result


def test_an_empty_error_is_still_an_error() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True}

    back = from_chat(to_chat(messages_request(user([result])), PLAIN), PLAIN)

    assert back["messages"][0]["content"] == [result]


def test_instructions_in_mid_conversation_stay_where_they_are() -> None:
    turns = [user("Hi"), {"role": "system", "content": "Be brief."}, assistant("Hello"), user("Bye")]

    chat = to_chat(messages_request(*turns, system="First."), PLAIN)
    back = from_chat(chat, PLAIN)

    assert chat["messages"] == [{"role": "system", "content": "First."}, *turns]
    assert [message["role"] for message in back["messages"]] == ["user", "system", "assistant", "user"]


def test_the_attribution_of_claude_code_is_no_prompt() -> None:
    line = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197; cch=0;"}

    alone = to_chat(messages_request(system=[line]), PLAIN)
    prompt = to_chat(messages_request(system="x-anthropic-billing-header is a header.\nExplain it."), PLAIN)

    assert alone["messages"] == [user("Hi")]
    assert prompt["messages"][0]["role"] == "system"


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_effort_is_the_same_on_both_sides(effort: str) -> None:
    said = from_chat(chat_request(reasoning_effort=effort), PLAIN)

    assert said["thinking"] == {"type": "adaptive"}
    assert said["output_config"] == {"effort": effort}
    assert to_chat(said, PLAIN)["reasoning_effort"] == effort


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_a_budget_is_the_effort_that_it_was_made_of(effort: str) -> None:
    budgets = Features(prompt_caching=False, thinking="budget")

    said = from_chat(chat_request(reasoning_effort=effort), budgets)

    assert said["thinking"]["budget_tokens"] < said["max_tokens"]
    assert to_chat(said, PLAIN)["reasoning_effort"] == effort


def test_a_budget_is_left_out_where_the_api_would_refuse_it() -> None:
    """A small limit, a forced tool, a tool loop whose signed thinking nobody has."""
    budgets = Features(prompt_caching=False, thinking="budget")
    result = {"role": "tool", "tool_call_id": "c", "content": "1"}

    small = from_chat(chat_request(reasoning_effort="high", max_tokens=1500), budgets)
    forced = from_chat(chat_request(reasoning_effort="high", tools=[FUNCTION], tool_choice="required"), budgets)
    loop = from_chat(chat_request(user("Hi"), result, reasoning_effort="high"), budgets)

    assert all("thinking" not in each for each in (small, forced, loop))


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"temperature": 0.2}, {"temperature": 0.2}),
        ({"temperature": 1.4}, {"temperature": 1}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"temperature": 0.2, "top_p": 0.5}, {"temperature": 0.2}),
        ({"temperature": None, "top_p": 0.5}, {"top_p": 0.5}),
        ({"temperature": 0.2, "top_p": 0.98, "reasoning_effort": "high"}, {"top_p": 0.98}),
        ({"temperature": 0.2, "top_p": 0.5, "reasoning_effort": "high"}, {}),
        ({"temperature": 0.2, "reasoning_effort": "none"}, {"temperature": 0.2}),
        ({"temperature": 0.2, "reasoning_effort": "high", "max_tokens": 1500}, {"temperature": 0.2}),
    ],
)
def test_sampling_is_said_as_a_claude_before_4_7_takes_it(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """Of the two it takes one; while it thinks, only a `top_p` near 1. With little room it does not think."""
    request = from_chat(chat_request(**asked), features_of("claude-sonnet-4-5"))

    assert {name: request[name] for name in ("temperature", "top_p") if name in request} == sent


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t", [{"type": "text", "text": "\n"}]])
def test_a_text_without_a_character_to_see_is_left_out(blank: Any) -> None:
    """Anthropic refuses it, empty or not."""
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    turns = [
        {"role": "system", "content": blank},
        user("Hi"),
        {"role": "assistant", "content": blank, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": blank},
        assistant(blank),
        user(blank),
    ]

    request = from_chat(chat_request(*turns), PLAIN)

    assert "system" not in request
    assert [message["content"] for message in request["messages"]] == [
        [{"type": "text", "text": "Hi"}],
        [{"type": "tool_use", "id": "c", "name": "now", "input": {}}],
        [{"type": "tool_result", "tool_use_id": "c"}],
    ]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("claude-opus-4-5", {}),
        ("claude-opus-4-8-20260528", {}),
        ("claude-opus-5", {"output_config": {"effort": "low"}}),
        ("claude-opus-5-5", {"output_config": {"effort": "low"}}),
        ("claude-mythos-preview", {"output_config": {"effort": "low"}}),
    ],
)
def test_no_effort_is_said_as_each_claude_takes_it(model: str, said: dict[str, object]) -> None:
    """Before 5.0 they think when they are asked to. Of later ones some refuse to be told that they should not."""
    request = from_chat(chat_request(reasoning_effort="none"), features_of(model))

    assert "thinking" not in request
    assert {name: request[name] for name in ("output_config",) if name in request} == said


def test_thinking_that_is_off_says_nothing_in_chat() -> None:
    """Many models refuse the effort `none`; without a word they do as little as they can."""
    chat = to_chat(messages_request(thinking={"type": "disabled"}, output_config={"effort": "low"}), PLAIN)

    assert "reasoning_effort" not in chat


def test_a_user_id_that_openai_would_refuse_is_left_out() -> None:
    assert to_chat(messages_request(metadata={"user_id": "u" * 64}), PLAIN)["user"] == "u" * 64
    assert "user" not in to_chat(messages_request(metadata={"user_id": "u" * 65}), PLAIN)
    assert from_chat(chat_request(user="u1"), PLAIN)["metadata"] == {"user_id": "u1"}


def test_what_only_one_side_knows_is_not_sent_to_the_other() -> None:
    chat = to_chat(
        messages_request(context_management={"edits": []}, service_tier="auto", top_k=3, container=None), PLAIN
    )
    ours = from_chat(chat_request(seed=1, logprobs=True, store=True, prompt_cache_key="k", n=1), PLAIN)

    assert sorted(chat) == ["max_completion_tokens", "messages", "model"]
    assert sorted(ours) == ["max_tokens", "messages", "model"]


@pytest.mark.parametrize(
    "content",
    [
        7,
        [7],
        [{"type": "text"}],
        [{"type": "image", "source": 1}],
        [{"type": "tool_result"}],
        [{"type": "document"}],
        None,
    ],
)
def test_a_malformed_block_is_a_bad_request_that_says_where(content: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        to_chat(messages_request(user(content)), PLAIN)

    assert str(refused.value.param).startswith("messages[0].content")


def test_a_stream_asks_for_its_counts() -> None:
    assert to_chat(messages_request(stream=True), PLAIN)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in from_chat(chat_request(stream=True, stream_options={}), PLAIN)


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        ({"type": "object", "properties": {}}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
    ],
)
def test_openais_rules_for_strict_schemas(schema: Any, fits: bool) -> None:
    assert fits_strict(schema) is fits


def test_prefixes_are_marked_at_four_places_at_most() -> None:
    turns = [
        user("1"),
        assistant("2"),
        user("3"),
        assistant("4"),
        user([{"type": "text", "text": each} for each in "56"]),
    ]

    said = from_chat(chat_request({"role": "system", "content": "S"}, *turns, tools=[FUNCTION, FUNCTION]), Features())

    assert [tool.get("cache_control") for tool in said["tools"]] == [None, EPHEMERAL]
    assert said["system"][-1]["cache_control"] == EPHEMERAL
    marked = [[block.get("cache_control") for block in each["content"]] for each in said["messages"]]
    assert marked == [[None], [None], [EPHEMERAL], [None], [None, EPHEMERAL]]


@pytest.mark.parametrize("where", ["tool", "text", "result", "breakpoint"])
def test_a_mark_of_the_client_is_the_only_one(where: str) -> None:
    marked = {"type": "text", "text": "x", "cache_control": EPHEMERAL}
    request = {
        "tool": chat_request(tools=[{**FUNCTION, "cache_control": EPHEMERAL}, FUNCTION]),
        "text": chat_request(user([marked]), assistant("y"), user("z")),
        "result": chat_request({"role": "tool", "tool_call_id": "c", "content": [marked]}, user("z")),
        "breakpoint": chat_request(
            user([{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}])
        ),
    }[where]

    said = from_chat(request, Features())

    assert str(said).count("cache_control") == 1


def test_the_claude_generations() -> None:
    def said(name: str) -> tuple[str, bool, bool]:
        features = features_of(name)
        return features.thinking, features.sampling, features.system_turns

    assert said("claude-3-5-sonnet-20241022") == ("budget", True, False)
    assert said("claude-opus-4-20250514") == ("budget", True, False)
    assert said("anthropic.claude-haiku-4-5-20251001-v1:0") == ("budget", True, False)
    assert said("claude-sonnet-4-6") == ("adaptive", True, False)
    assert said("claude-opus-4-7") == ("adaptive", False, False)
    assert said("claude-opus-4-8-20260528") == ("adaptive", False, True)
    assert said("claude-sonnet-5") == said("my-alias") == ("adaptive", False, True)


def test_reasoning_of_a_chat_provider_is_taken_out_for_anthropic() -> None:
    """A session may move: Anthropic refuses thinking that it did not sign."""
    ours, theirs = carried_reasoning.thinking_block("…"), {"type": "thinking", "thinking": "…", "signature": "Eq"}
    carrier = carried_reasoning.carrier_of({"extra_content": {"a": 1}})
    text = {"type": "text", "text": "Hello"}
    turns = [user("Hi"), assistant([ours, carrier, text]), assistant([theirs]), assistant([ours])]

    assert carried_reasoning.without(turns) == [user("Hi"), assistant([text]), assistant([theirs])]
    assert carried_reasoning.without(turns[:1]) is not None


def test_a_tool_of_the_server_is_named_before_anything_is_sent() -> None:
    with pytest.raises(Untranslatable, match="web_search"):
        to_chat(messages_request(tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}]), PLAIN)
