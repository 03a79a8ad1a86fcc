"""Messages and chat, there and back: what both can express comes back equal."""

import json
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.translation import anthropic_types, openai_types
from tests.unit.translation.checking import parsed
from tests.unit.translation.strategies import interleaved, optional
from web.translation.capabilities import Features
from web.translation.messages_chat import (
    StreamFromChat,
    StreamToChat,
    answer_from_chat,
    answer_to_chat,
    from_chat,
    to_chat,
)

PLAIN = Features(prompt_caching=False)
Message = dict[str, Any]

words = st.text('abcäß€ \n"\\', min_size=1, max_size=12)
names = st.sampled_from(["Read", "Bash", "get_weather"])
scalars = st.none() | st.booleans() | st.integers(-9, 9) | words
inputs = st.dictionaries(st.sampled_from("abc"), scalars | st.lists(scalars, max_size=2), max_size=3)
texts = st.builds(lambda text: {"type": "text", "text": text}, words.filter(str.strip))
images = st.sampled_from(
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            "title": "a.pdf",
        },
    ]
)
schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Turns of user and assistant in turn; each call has a result in the turn that follows."""
    ids = count()
    turns: list[Message] = []
    calls: list[Message] = []
    for _ in range(draw(st.integers(1, 4))):
        results = [draw(_results(call["id"])) for call in calls]
        said = draw(st.lists(texts | images, min_size=0 if results else 1, max_size=3))
        turns.append({"role": "user", "content": results + said})
        if draw(st.booleans()):
            turns.append({"role": "system", "content": draw(st.lists(texts, min_size=1, max_size=2))})
        uses = draw(st.lists(st.tuples(names, inputs), max_size=3))
        calls = [{"type": "tool_use", "id": f"toolu_{next(ids)}", "name": name, "input": each} for name, each in uses]
        turns.append(
            {"role": "assistant", "content": [*draw(st.lists(texts, min_size=not calls, max_size=1)), *calls]}
        )
    return turns


def _results(call_id: str) -> st.SearchStrategy[Message]:
    begun = {"type": "tool_result", "tool_use_id": call_id}
    content = st.lists(texts, min_size=1, max_size=2).map(lambda blocks: {"content": blocks})
    failed = st.sampled_from([{}, {"is_error": True}])
    return st.builds(lambda said, error: {**begun, **said, **error}, st.just({}) | content, failed)


tools = st.lists(
    st.builds(
        lambda name, more: {"name": name, "input_schema": schema, **more},
        names,
        optional(description=words, strict=st.just(value=True)),
    ),
    min_size=1,
    max_size=3,
)
choices = st.sampled_from(
    [
        {"type": "auto"},
        {"type": "any"},
        {"type": "none"},
        {"type": "tool", "name": "Read"},
        {"type": "any", "disable_parallel_tool_use": True},
    ]
)
tooling: st.SearchStrategy[Message] = st.just({}) | st.builds(
    lambda some, choice: {"tools": some, **choice}, tools, optional(tool_choice=choices)
)
efforts = st.sampled_from(["low", "medium", "high", "xhigh", "max"])
outputs = optional(effort=efforts, format=st.just({"type": "json_schema", "schema": schema}))
sampling: st.SearchStrategy[Message] = st.sampled_from(
    [{}, {"temperature": 0}, {"temperature": 0.5}, {"top_p": 0.1}, {"top_p": 1}]
)
sampling_beside_thinking: st.SearchStrategy[Message] = st.sampled_from([{}, {"top_p": 0.95}, {"top_p": 1}])


@st.composite
def requests(draw: st.DrawFn) -> Message:
    request: Message = {"model": "m", "max_tokens": draw(st.integers(1, 99999)), "messages": draw(conversations())}
    request |= draw(
        optional(
            system=st.lists(texts, min_size=1, max_size=3),
            stop_sequences=st.lists(words, min_size=1, max_size=3),
            metadata=words.map(lambda user: {"user_id": user}),
            stream=st.just(value=True),
        )
    )
    request |= draw(tooling)
    output = draw(outputs)
    if output:
        request["output_config"] = output
    if "effort" in output and request.get("tool_choice", {}).get("type") not in {"any", "tool"}:
        request["thinking"] = {"type": "adaptive"}
    return request | draw(sampling_beside_thinking if "thinking" in request else sampling)


@settings(max_examples=150, deadline=None)
@given(requests())
def test_a_request_comes_back_equal(request: Message) -> None:
    chat = to_chat(request, PLAIN)
    back = from_chat(chat, PLAIN)

    anthropic_types.check_messages_request(request)
    openai_types.check_chat_request(chat)
    assert back == request
    assert to_chat(back, PLAIN) == chat


usages = st.builds(
    lambda fresh, written, read, out, thought: {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": out + thought,
        "output_tokens_details": {"thinking_tokens": thought},
    },
    *[st.integers(0, 5000)] * 5,
)


@st.composite
def answers(draw: st.DrawFn) -> Message:
    uses = draw(st.lists(st.tuples(names, inputs), max_size=3))
    calls = [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": each} for n, (name, each) in enumerate(uses)
    ]
    stop = draw(st.sampled_from(["tool_use", "max_tokens"] if calls else ["end_turn", "max_tokens", "stop_sequence"]))
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [*draw(st.lists(texts, min_size=not calls, max_size=1)), *calls],
        "stop_reason": stop,
        "stop_sequence": draw(words) if stop == "stop_sequence" else None,
        "usage": draw(usages),
    }


@settings(max_examples=150, deadline=None)
@given(answers())
def test_an_answer_comes_back_equal(answer: Message) -> None:
    completion = answer_to_chat(answer)
    back = answer_from_chat(completion, {})

    openai_types.check_completion(completion)
    anthropic_types.check_message(back)
    assert back == answer


@st.composite
def streams(draw: st.DrawFn) -> tuple[Message, list[Message]]:
    """An answer, and chunks of chat that say it; the deltas of several calls come in any order."""
    answer = draw(answers())
    text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    completion = answer_to_chat(answer)
    choice = completion["choices"][0]
    lanes = [_call_deltas(draw, n, call) for n, call in enumerate(choice["message"].get("tool_calls", ()))]
    deltas: list[Message] = [
        {"role": "assistant", "content": ""},
        *({"content": piece} for piece in _cut(draw, text)),
    ]
    deltas += [lane.pop(0) for lane in lanes]
    deltas += interleaved(draw, lanes)
    end = {name: choice[name] for name in ("finish_reason", "stop_reason") if name in choice}
    ended = [{"index": 0, "delta": {}, **end}]
    head = {"id": completion["id"], "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    return answer, [*chunks, {**head, "choices": ended}, {**head, "choices": [], "usage": completion["usage"]}]


def _cut(draw: st.DrawFn, text: str) -> list[str]:
    size = draw(st.integers(1, 8))
    return [text[n : n + size] for n in range(0, len(text), size)]


def _call_deltas(draw: st.DrawFn, index: int, call: Message) -> list[Message]:
    function = call["function"]
    begun = {
        "index": index,
        "id": call["id"],
        "type": "function",
        "function": {"name": function["name"], "arguments": ""},
    }
    pieces = ({"index": index, "function": {"arguments": each}} for each in _cut(draw, function["arguments"]))
    return [{"tool_calls": [delta]} for delta in (begun, *pieces)]


@settings(max_examples=150, deadline=None)
@given(streams())
def test_a_stream_says_what_the_whole_answer_says(drawn: tuple[Message, list[Message]]) -> None:
    """In strict order: blocks one after the other, one message_delta, one message_stop; and back in chat the same."""
    answer, chunks = drawn
    stream, back = StreamFromChat({}), StreamToChat({"stream_options": {"include_usage": True}})

    pieces = [piece for chunk in [*chunks, None] for piece in stream.event(None, chunk)] + stream.end()
    events = parsed(pieces)
    again = [piece for name, data in events for piece in back.event(name, data)] + back.end()

    assert assembled([data for _, data in events if data]) == answer
    assert joined([data for _, data in parsed(again)]) == joined([*chunks, None])


def assembled(events: list[Message]) -> Message:
    """The message that a stream says; fails where an event stands out of order."""
    message = events[0]["message"]
    pieces: list[str] = []
    is_open = False
    for event in events[1:-2]:
        anthropic_types.check_message_event(event)
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(message["content"])
                is_open, pieces = True, []
                message["content"].append(event["content_block"])
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(message["content"]) - 1
                pieces.append(event["delta"].get("text") or event["delta"]["partial_json"])
            case "content_block_stop":
                assert is_open
                assert event["index"] == len(message["content"]) - 1
                is_open = False
                _fill(message["content"][-1], "".join(pieces))
            case kind:
                raise AssertionError(kind)
    assert not is_open
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    return {**message, **events[-2]["delta"], "usage": events[-2]["usage"]}


def _fill(block: Message, said: str) -> None:
    if block["type"] == "text":
        block["text"] = said
    else:
        block["input"] = json.loads(said)


def joined(chunks: list[Message | None]) -> Message:
    """What a chat stream says in all."""
    said: Message = {"content": "", "calls": {}, "finish": []}
    for chunk in chunks[:-1]:
        assert chunk is not None
        said["usage"] = chunk.get("usage")
        for choice in chunk["choices"]:
            delta = choice["delta"]
            said["content"] += delta.get("content") or ""
            said["finish"] += [choice["finish_reason"]] if choice["finish_reason"] else []
            for call in delta.get("tool_calls", ()):
                known = said["calls"].setdefault(call["index"], {"arguments": ""})
                known |= {"id": call["id"], "name": call["function"]["name"]} if "id" in call else {}
                known["arguments"] += call["function"]["arguments"]
    assert chunks[-1] is None
    return said
