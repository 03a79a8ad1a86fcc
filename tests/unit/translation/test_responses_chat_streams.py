"""Streams between the Responses API and chat: order, what is passed on at once, and how they end."""

import json
from typing import Any

import pytest

from shared.domain.money import Usage
from tests.unit.translation.checking import parsed
from tests.unit.translation.openai_types import check_response
from tests.unit.translation.responses_order import calls_in, check_chat_stream, check_responses_stream, joined
from web.dialects.error_table import ErrorInfo
from web.translation.capabilities import Features
from web.translation.responses_chat import StreamFromChat, StreamToChat, answer_from_chat, to_chat

BROKEN = ErrorInfo(status=502, message="The connection broke", type="upstream_error", code="upstream_unreachable")
REQUEST = {"model": "m", "input": "Hi"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files"}
ITEM = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    return {"id": "chatcmpl-0123456789abcdef", "created": 7, "model": "m", "choices": [choice], **more}


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    """A piece of a call; its first one has a name."""
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return chunk({"tool_calls": [{"index": index, "function": function, **more}]})


def streamed(chunks: list[dict[str, Any] | None], request: dict[str, Any] | None = None) -> dict[str, Any]:
    """The response that a stream of chat becomes."""
    stream = StreamFromChat(request or REQUEST)
    return check_responses_stream(parsed(piece for each in chunks for piece in stream.event(None, each)))


def test_text_is_passed_on_as_it_comes() -> None:
    stream = StreamFromChat(REQUEST)
    stream.event(None, chunk({"content": "Hel"}))

    (event,) = parsed(stream.event(None, chunk({"content": "lo"})))

    assert event[1] is not None
    assert (event[0], event[1]["delta"]) == ("response.output_text.delta", "lo")


def test_the_first_call_is_passed_on_while_the_second_waits() -> None:
    """Items of a Responses stream come one after the other, however their pieces come."""
    stream = StreamFromChat(REQUEST)
    stream.event(None, call(0, name="f", id="call_1"))

    second = stream.event(None, call(1, '{"b":', name="g", id="call_2"))
    first = parsed(stream.event(None, call(0, '{"a":1}')))

    assert second == []
    assert first[0][0] == "response.function_call_arguments.delta"


def test_a_call_is_passed_on_as_it_comes_once_the_one_before_it_is_whole() -> None:
    stream = StreamFromChat(REQUEST)
    stream.event(None, call(0, '{"a":1}', name="f", id="call_1"))
    stream.event(None, call(1, name="g", id="call_2"))

    (event,) = parsed(stream.event(None, call(1, '{"b":')))

    assert event[0] == "response.function_call_arguments.delta"


def test_interleaved_calls_keep_their_ids_and_arguments() -> None:
    pieces = [call(0, name="f", id="a"), call(1, name="g", id="b"), call(2, name="h", id="c")]
    pieces += [call(index, text) for text in ('{"n":', "1}") for index in (2, 0, 1)]

    response = streamed([*pieces, chunk({"content": "done"}), chunk(reason="tool_calls"), None])

    assert [(item.get("call_id"), item.get("arguments")) for item in response["output"]] == [
        ("a", '{"n":1}'),
        ("b", '{"n":1}'),
        ("c", '{"n":1}'),
        (None, None),
    ]


def test_a_stream_becomes_the_same_response_as_the_whole_answer() -> None:
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate((("f", '{"a":1}'), ("apply_patch", '{"input":"***"}'), ("now", "{}")))
    ]
    message = {"role": "assistant", "content": "I look.", "reasoning_content": "Hm.", "tool_calls": calls}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    request = {**REQUEST, "tools": [PATCH]}
    chunks = [
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "I look."}),
        *(chunk({"tool_calls": [{"index": n, **each}]}) for n, each in enumerate(calls)),
        chunk(reason="tool_calls", usage=usage),
        None,
    ]

    whole = answer_from_chat(chunk(usage=usage) | {"choices": [{"message": message}]}, request)

    assert streamed(chunks, request) == whole
    check_response(whole)


def test_free_text_comes_back_as_the_client_declared_its_tool() -> None:
    pieces = [call(0, '{"input":"a \\"', name="apply_patch", id="call_1"), call(0, 'b\\""}')]

    response = streamed([*pieces, chunk(reason="tool_calls"), None], {**REQUEST, "tools": [PATCH]})

    assert response["output"][0]["type"] == "custom_tool_call"
    assert response["output"][0]["input"] == 'a "b"'


def test_what_gemini_hangs_on_a_call_comes_back_to_it_with_the_next_request() -> None:
    """Gemini refuses a call's result when the signature of the thought behind the call is missing."""
    signature = {"google": {"thought_signature": "Cj8B"}}
    response = streamed([call(0, "{}", name="f", id="call_1", extra_content=signature), chunk(reason="stop"), None])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "1"}

    chat = to_chat({"model": "m", "input": [*response["output"], result]}, Features())

    assert chat["messages"][0]["tool_calls"][0]["extra_content"] == signature


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_why_an_answer_ended_is_kept(reason: str, status: str, why: Any) -> None:
    response = streamed([chunk({"content": "a"}), chunk(reason=reason), None])

    assert (response["status"], response["incomplete_details"]) == (status, why)


def test_a_broken_stream_ends_with_the_clients_own_error() -> None:
    stream = StreamFromChat(REQUEST)
    begun = stream.event(None, chunk({"content": "a"}))

    events = parsed([*begun, *stream.broken(BROKEN)])

    assert [name for name, _ in events[-2:]] == ["error", "response.failed"]
    response = check_responses_stream(events)
    assert response["error"] == {"code": "server_error", "message": "The connection broke"}
    assert stream.end() == stream.broken(BROKEN) == stream.event(None, chunk()) == []


def test_a_stream_without_its_end_is_no_whole_answer() -> None:
    stream = StreamFromChat(REQUEST)
    begun = stream.event(None, chunk({"content": "a"}))

    assert check_responses_stream(parsed([*begun, *stream.end()]))["status"] == "failed"


def test_the_usage_is_counted() -> None:
    stream = StreamFromChat(REQUEST)
    said = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    stream.event(None, chunk(usage=said))

    assert stream.usage == Usage(input=5, cached=4, output=3)


def test_an_answer_has_the_name_that_it_is_given() -> None:
    stream, back = StreamFromChat(REQUEST, "openai/m"), StreamToChat({}, "openai/m")
    begun = {"type": "response.created", "response": {"id": "resp_1", "model": "m"}}

    events = parsed([*stream.event(None, chunk()), *back.event(None, begun)])

    names = [data.get("model") or data["response"]["model"] for _, data in events if data]
    assert names == ["openai/m"] * 3


def to_chunks(events: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    """The chunks that a stream of the Responses API becomes."""
    stream = StreamToChat({"stream_options": options} if options else {})
    begun = {"type": "response.created", "response": {"id": "resp_1", "created_at": 7, "model": "m"}}
    return check_chat_stream(parsed(piece for data in [begun, *events] for piece in stream.event(None, data)))


def done(**more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", **more}}


def test_calls_keep_their_order_and_ids_in_chat() -> None:
    def piece(index: int, text: str) -> dict[str, Any]:
        return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": text}

    added = [
        {"type": "response.output_item.added", "output_index": n, "item": {**ITEM, "call_id": f"call_{n}"}}
        for n in (1, 2)
    ]

    chunks = to_chunks([added[0], piece(1, "{"), added[1], piece(2, "{}"), piece(1, "}"), done()])

    pieces = [call for each in chunks for call in calls_in(each)]
    assert [call["id"] for call in pieces if "id" in call] == ["call_1", "call_2"]
    for index in (0, 1):
        assert "".join(call["function"]["arguments"] for call in pieces if call["index"] == index) == "{}"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_two_messages_of_one_answer_are_paragraphs_in_chat() -> None:
    deltas = [
        {"type": "response.output_text.delta", "output_index": index, "delta": text}
        for index, text in ((0, "I lo"), (0, "ok."), (1, "Done."))
    ]

    assert joined(to_chunks([*deltas, done()]), "content") == "I look.\n\nDone."


def test_a_chat_client_hears_of_the_usage_when_it_asks() -> None:
    usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}

    without, with_usage = (to_chunks([done(usage=usage)], **options) for options in ({}, {"include_usage": True}))

    assert all("usage" not in each for each in without)
    assert with_usage[-1]["choices"] == []
    assert with_usage[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert [each["usage"] for each in with_usage[:-1]] == [None, None]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "It failed"}}},
        {"type": "error", "code": "server_error", "message": "It failed", "param": None},
    ],
)
def test_an_error_of_the_provider_is_one_of_chat(event: dict[str, Any]) -> None:
    stream = StreamToChat({})

    (told,) = parsed(stream.event(None, event))

    assert told[1] is not None
    assert told[1]["error"]["message"] == "It failed"
    assert stream.end() == []


def test_a_broken_stream_of_responses_ends_with_an_error_of_chat() -> None:
    stream = StreamToChat({})

    (told,) = parsed(stream.broken(BROKEN))

    assert told[1] == {
        "error": {
            "message": "The connection broke",
            "type": "upstream_error",
            "param": None,
            "code": "upstream_unreachable",
        }
    }
    assert stream.broken(BROKEN) == []


def test_chunks_of_chat_feed_a_further_translation() -> None:
    """What comes from a Responses provider may go on to a third API, without being encoded in between."""
    stream = StreamToChat({"stream_options": {"include_usage": True}})
    events = [{"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}, done(usage={})]

    chunks = [each for data in events for each in stream.chunks(None, data)]

    assert chunks[-1] is None
    assert json.dumps(chunks)
