"""Streams between Messages and chat: the order of events, and what happens when they break."""

import json
from typing import Any

import pytest

from shared.domain.money import Usage
from shared.errors import UpstreamFailed
from tests.fakes import chat, messages
from tests.unit.translation.anthropic_types import read_by_anthropic
from tests.unit.translation.checking import Event, parsed
from tests.unit.translation.openai_types import read_by_openai
from web.dialects.error_table import ErrorInfo
from web.translation.messages_chat import StreamFromChat, StreamToChat, answer_from_chat, answer_to_chat

BROKEN = ErrorInfo(status=502, message="The provider went away", type="upstream_error", code="upstream_unreachable")
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Tell me more"}]}
COUNTED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def call(index: int, arguments: str = "", **begun: str) -> dict[str, Any]:
    """A delta of a call; with id and name its first."""
    function = {"arguments": arguments, **({"name": begun["name"]} if begun else {})}
    ids = {"id": begun["id"]} if begun else {}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, **ids, "function": function}]}}]}


def said(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def kinds(pieces: list[bytes]) -> list[str | None]:
    return [name for name, _ in parsed(pieces)]


def through(stream: Any, events: list[Event]) -> bytes:
    return b"".join([piece for event in events for piece in stream.event(*event)] + stream.end())


def test_anthropics_client_reads_a_chat_providers_stream() -> None:
    stream = StreamFromChat({}, "openai/gpt-5.2")

    message = read_by_anthropic(through(stream, parsed(chat.chunks({**ASKED, **COUNTED}))))

    whole = json.loads(chat.completion(ASKED))
    assert message.content[0].type == "text"
    assert message.content[0].text == whole["choices"][0]["message"]["content"]
    assert (message.model, message.stop_reason) == ("openai/gpt-5.2", "end_turn")
    assert message.usage.output_tokens == whole["usage"]["completion_tokens"]
    assert stream.usage == Usage(input=message.usage.input_tokens, output=message.usage.output_tokens)


def test_anthropics_client_reads_calls_of_a_chat_provider() -> None:
    properties = {"city": {"enum": ["Paris", "Rome"]}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in ("weather", "now")]

    message = read_by_anthropic(through(StreamFromChat({}), parsed(chat.chunks({**ASKED, "tools": tools}))))

    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == [("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})]
    assert message.stop_reason == "tool_use"


def test_openais_client_reads_a_messages_providers_stream() -> None:
    stream = StreamToChat(COUNTED, "anthropic/claude")

    chunks = read_by_openai(through(stream, parsed(messages.events(ASKED))))

    whole = json.loads(messages.message(ASKED))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    usage = chunks[-1].usage
    assert usage is not None
    assert text == whole["content"][0]["text"]
    assert {chunk.model for chunk in chunks} == {"anthropic/claude"}
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert stream.usage == Usage(input=usage.prompt_tokens, output=usage.completion_tokens)


def test_a_piece_is_passed_on_as_it_comes() -> None:
    stream = StreamFromChat({})

    begun = stream.event(None, said(content="Hel"))
    more = stream.event(None, said(content="lo"))

    assert kinds(begun) == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds(more) == ["content_block_delta"]


def test_a_second_call_waits_until_the_first_is_whole() -> None:
    stream = StreamFromChat({})
    stream.event(None, call(0, id="a", name="f"))

    early = stream.event(None, call(1, '{"n": 1}', id="b", name="g"))
    half = stream.event(None, call(0, '{"s": "}'))
    done = stream.event(None, call(0, '"}'))

    assert early == []
    assert kinds(half) == ["content_block_delta"]
    assert kinds(done) == ["content_block_delta", "content_block_stop", "content_block_start", "content_block_delta"]


def test_text_behind_a_call_waits_for_it() -> None:
    stream = StreamFromChat({})
    stream.event(None, call(0, '{"a"', id="a", name="f"))

    text = stream.event(None, said(content="and"))
    rest = stream.event(None, call(0, ": 1}"))

    assert text == []
    assert kinds(rest)[-2:] == ["content_block_start", "content_block_delta"]


def test_a_call_without_arguments_is_an_empty_object_in_chat() -> None:
    stream = StreamToChat({})
    block = {"type": "tool_use", "id": "t", "name": "now", "input": {}}

    stream.event("content_block_start", {"type": "content_block_start", "index": 3, "content_block": block})
    end = stream.event("content_block_stop", {"type": "content_block_stop", "index": 3})

    assert b'"arguments":"{}"' in end[0]


@pytest.mark.parametrize("begun", [[], [said(content="Hel")], [call(0, '{"a', id="a", name="f")]])
def test_a_broken_stream_ends_in_one_error_of_the_messages_api(begun: list[dict[str, Any]]) -> None:
    stream = StreamFromChat({})
    for each in begun:
        stream.event(None, each)

    end = stream.broken(BROKEN)

    assert parsed(end) == [
        ("error", {"type": "error", "error": {"type": "api_error", "message": "The provider went away"}})
    ]
    assert stream.event(None, said(content="x")) + stream.event(None, None) + stream.end() == []


def test_a_broken_stream_ends_in_one_error_of_chat() -> None:
    stream = StreamToChat({})

    end = stream.broken(BROKEN)

    assert json.loads(end[0].removeprefix(b"data: "))["error"]["code"] == "upstream_unreachable"
    assert stream.event("message_stop", {"type": "message_stop"}) + stream.end() + stream.broken(BROKEN) == []


@pytest.mark.parametrize(
    "chunk", [{"choices": [7]}, {"choices": 7}, {"choices": [{"delta": 7}]}, said(tool_calls=[7]), said(content=[7])]
)
def test_a_chunk_that_is_none_ends_the_stream(chunk: dict[str, Any]) -> None:
    stream = StreamFromChat({})

    assert kinds(stream.event(None, chunk))[-1] == "error"
    assert stream.end() == []


@pytest.mark.parametrize(
    "kind", ["message_start", "content_block_start", "content_block_delta", "message_delta", "error"]
)
def test_an_event_that_is_none_ends_the_stream(kind: str) -> None:
    stream = StreamToChat({})

    assert b'"error"' in stream.event(kind, {"type": kind})[0]
    assert stream.end() == []


@pytest.mark.parametrize(
    "answer", [{}, {"choices": []}, {"choices": [{"message": 1}]}, {"content": 1}, {"content": [{}]}]
)
def test_an_answer_that_is_none_is_the_providers_fault(answer: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed):
        answer_to_chat(answer)
    with pytest.raises(UpstreamFailed):
        answer_from_chat(answer, {})


def test_events_that_chat_has_no_place_for_are_silent() -> None:
    stream = StreamToChat({})
    signature = {"type": "signature_delta", "signature": "Eq"}

    silent = stream.event("ping", {"type": "ping"})
    silent += stream.event("new_event", {"type": "new_event"})
    silent += stream.event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": signature})

    assert silent == []


def test_a_stream_that_said_nothing_but_done_is_a_whole_message() -> None:
    assert kinds(StreamFromChat({}).event(None, None)) == ["message_start", "message_delta", "message_stop"]
