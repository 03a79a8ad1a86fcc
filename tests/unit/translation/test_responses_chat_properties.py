"""Generated conversations, answers and streams: there and back they are equal, and each obeys the other's types."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.translation.checking import parsed
from tests.unit.translation.openai_types import (
    check_chat_request,
    check_completion,
    check_response,
    check_responses_request,
)
from tests.unit.translation.responses_order import check_chat_stream, check_responses_stream, joined
from tests.unit.translation.strategies import interleaved, optional
from web.translation.capabilities import Features
from web.translation.responses_chat import (
    StreamFromChat,
    StreamToChat,
    answer_from_chat,
    answer_to_chat,
    from_chat,
    to_chat,
)

quick = settings(deadline=None, database=None, max_examples=60)

_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_name = st.sampled_from(["get_weather", "exec_command", "now"])
_arguments = st.sampled_from(["{}", '{"city":"Paris"}', '{"cmd":"ls -l \\"a\\""}', '{"n":[1,2,{"a":null}]}'])
_schema = st.sampled_from([{"type": "object", "properties": {}}, {"type": "object", "properties": {"a": {}}}])
_url = st.sampled_from(["https://example.com/a.png", "data:image/png;base64,iVBORw0KGgo="])

_text_part = st.fixed_dictionaries({"type": st.just("text"), "text": _text})
_image_part = st.fixed_dictionaries(
    {
        "type": st.just("image_url"),
        "image_url": st.fixed_dictionaries({"url": _url}, optional={"detail": st.sampled_from(["low", "high"])}),
    }
)
_file_part = st.just({"type": "file", "file": {"file_data": "data:application/pdf;base64,JV", "filename": "a.pdf"}})
_shown = st.one_of(_image_part, _file_part)
_content = _text | st.builds(lambda first, rest: [first, *rest], _shown, st.lists(_shown | _text_part, max_size=2))
"""A user's content. One text alone is always a string, since that is what some providers want."""


@st.composite
def _turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """A user's message, maybe calls with their results, and an answer."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": draw(_content)}]
    ids = [f"call_{number}_{n}" for n in range(draw(st.integers(0, 3)))]
    if ids:
        calls = [
            {"id": each, "type": "function", "function": {"name": draw(_name), "arguments": draw(_arguments)}}
            for each in ids
        ]
        messages.append({"role": "assistant", "content": draw(st.none() | _text), "tool_calls": calls})
        results = draw(st.permutations(ids))
        messages += [{"role": "tool", "tool_call_id": each, "content": draw(_text)} for each in results]
    answer = draw(st.sampled_from(["text", "refusal", "none"]))
    if answer == "text":
        messages.append({"role": "assistant", "content": draw(_text)})
    elif answer == "refusal":
        messages.append({"role": "assistant", "content": None, "refusal": draw(_text)})
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(_text)})
    return messages


@st.composite
def _chat_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Chat requests that say what the Responses API can say, too, in the words that we choose for it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": draw(_text)}] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        messages += draw(_turn(number))
    request: dict[str, Any] = {"model": "m", "messages": messages}
    functions = st.fixed_dictionaries(
        {"name": _name, "parameters": _schema}, optional={"description": _text, "strict": st.just(True)}
    )
    tools = draw(st.lists(functions, max_size=2, unique_by=lambda function: function["name"]))
    if tools:
        request["tools"] = [{"type": "function", "function": function} for function in tools]
        one = {"type": "function", "function": {"name": tools[0]["name"]}}
        request |= draw(
            optional(
                tool_choice=st.sampled_from(["auto", "none", "required", one]), parallel_tool_calls=st.booleans()
            )
        )
    if draw(st.booleans()):
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    formats = st.sampled_from(
        [
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}},
        ]
    )
    return request | draw(
        optional(
            max_completion_tokens=st.integers(16, 9000),
            temperature=st.sampled_from([0, 0.5, 1]),
            top_p=st.sampled_from([0.1, 1]),
            reasoning_effort=st.sampled_from(["minimal", "low", "medium", "high"]),
            user=_text,
            response_format=formats,
        )
    )


@quick
@given(chat=_chat_requests())
def test_a_chat_request_is_the_same_there_and_back(chat: dict[str, Any]) -> None:
    responses = from_chat(chat, Features())

    assert to_chat(responses, Features()) == chat
    check_responses_request(responses)
    check_chat_request(chat)


@quick
@given(chat=_chat_requests())
def test_a_responses_request_is_the_same_there_and_back(chat: dict[str, Any]) -> None:
    responses = from_chat(chat, Features())

    assert from_chat(to_chat(responses, Features()), Features()) == responses


_usage = st.fixed_dictionaries(
    {"input": st.integers(0, 99), "cached": st.integers(0, 9), "output": st.integers(0, 99)}
)


@st.composite
def _completions(draw: st.DrawFn) -> dict[str, Any]:
    """Chat completions that say what a Response can say, too."""
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": draw(_name), "arguments": draw(_arguments)}}
        for n in range(draw(st.integers(0, 3)))
    ]
    refuses = draw(st.booleans())
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refuses else draw(st.none() | _text),
        "refusal": draw(_text) if refuses else None,
        "annotations": [],
        **draw(optional(reasoning_content=_text)),
        **({"tool_calls": calls} if calls else {}),
    }
    used = draw(_usage)
    return {
        "id": f"chatcmpl-{'0123456789abcdef'}",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": draw(
                    st.sampled_from(["length", "content_filter", "tool_calls" if calls else "stop"])
                ),
            }
        ],
        "usage": {
            "prompt_tokens": used["input"] + used["cached"],
            "completion_tokens": used["output"],
            "total_tokens": used["input"] + used["cached"] + used["output"],
            "prompt_tokens_details": {"cached_tokens": used["cached"], "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


@quick
@given(completion=_completions())
def test_an_answer_is_the_same_there_and_back(completion: dict[str, Any]) -> None:
    response = answer_from_chat(completion, {"model": "m", "input": "Hi"})

    assert answer_to_chat(response) == completion
    check_response(response)
    check_completion(completion)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """A completion, and chunks of it: its texts in order, the pieces of its calls in any."""
    completion = draw(_completions())
    choice, message = completion["choices"][0], completion["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [
        {field: piece}
        for field in ("reasoning_content", "content", "refusal")
        for piece in draw(_pieces(message.get(field) or ""))
    ]
    queues = []
    for index, call in enumerate(message.get("tool_calls", ())):
        first = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        pieces = draw(_pieces(call["function"]["arguments"]))
        queues.append([{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces])
    deltas += interleaved(draw, queues)
    head = {"id": completion["id"], "created": 7, "model": "m"}
    chunks: list[dict[str, Any] | None] = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return completion, [*chunks, {**head, "choices": [], "usage": completion["usage"]}, None]


def _pieces(text: str) -> st.SearchStrategy[list[str]]:
    cuts = st.sets(st.integers(1, len(text) - 1), max_size=4) if len(text) > 1 else st.just(set[int]())
    return cuts.map(lambda found: _cut(text, sorted(found))) if text else st.just([])


def _cut(text: str, cuts: list[int]) -> list[str]:
    return [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@quick
@given(streamed=_streams())
def test_a_stream_obeys_the_order_and_says_what_the_whole_answer_says(
    streamed: tuple[dict[str, Any], list[dict[str, Any] | None]],
) -> None:
    completion, chunks = streamed
    stream, request = StreamFromChat({"model": "m", "input": "Hi"}), {"model": "m", "input": "Hi"}

    events = parsed(piece for chunk in chunks for piece in stream.event(None, chunk))

    response = check_responses_stream(events)
    whole = answer_from_chat(completion, request)
    assert [_essence(item) for item in response["output"]] == [_essence(item) for item in whole["output"]]
    assert {**response, "output": []} == {**whole, "output": []}


def _essence(item: dict[str, Any]) -> dict[str, Any]:
    """An item without its status: of a stream that was cut off only the last one is incomplete."""
    return {name: value for name, value in item.items() if name != "status"}


@quick
@given(streamed=_streams())
def test_a_stream_is_the_same_there_and_back(
    streamed: tuple[dict[str, Any], list[dict[str, Any] | None]],
) -> None:
    completion, chunks = streamed
    there = StreamFromChat({"model": "m", "input": "Hi"})
    back = StreamToChat({"stream_options": {"include_usage": True}})
    events = parsed(piece for chunk in chunks for piece in there.event(None, chunk))

    got = check_chat_stream(parsed(piece for name, data in events for piece in back.event(name, data)))

    choice, message = completion["choices"][0], completion["choices"][0]["message"]
    for field in ("content", "refusal", "reasoning_content"):
        assert joined(got, field) == (message.get(field) or "")
    assert got[-1]["usage"] == completion["usage"]
    assert got[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert there.usage == back.usage
