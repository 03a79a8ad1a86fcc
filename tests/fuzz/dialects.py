"""The client APIs: what is read of requests and answers, and what is made of them for another API."""

import itertools
import json
from typing import Any

from hypothesis import strategies as st

from shared.domain.catalog import Model, Provider
from shared.errors import BadRequest, UpstreamFailed
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import MEMBERS, OBJECTS, damaged, last_of_each, object_of
from web.dialects import messages, responses
from web.dialects.by_path import BY_NAME
from web.dialects.error_table import ErrorInfo
from web.dialects.fields import body
from web.proxy.ways import Asked
from web.translation.answer_translator import TranslatingReader

MODEL = "openai/gpt-5.2"
BROKEN = ErrorInfo(status=502, message="broke off", type="upstream_error")
READERS = st.sampled_from([messages.reader, responses.reader])
DIALECTS = st.sampled_from(sorted(BY_NAME))
PAIRS = st.sampled_from(list(itertools.permutations(sorted(BY_NAME), 2)))
WORDS = [
    "type", "role", "content", "text", "message", "messages", "input", "output", "item", "response", "delta", "index",
    "id", "name", "tools", "tool_calls", "function", "arguments", "content_block", "usage", "choices", "system",
    "finish_reason", "stop_reason", "error", "partial_json", "output_index", "call_id", "tool_use_id", "source",
    "metadata", "user_id", "conversation", "client_metadata", "reasoning", "summary", "max_tokens", "stream",
]  # fmt: skip
KINDS = [
    "text", "tool_use", "tool_result", "thinking", "function", "function_call", "message", "user", "assistant",
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "tool",
    "error", "message_stop", "text_delta", "input_json_delta", "response.created", "response.output_item.added",
    "response.output_text.delta", "response.function_call_arguments.delta", "response.completed", "end_turn", "stop",
]  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(KINDS) | st.sampled_from([None, True, 0, 1, -1, 1.5, "", "{}", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=15,
)
SAID = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6)
EVENTS = st.lists(st.tuples(st.sampled_from(KINDS), SAID), max_size=6)


@target(st.tuples(READERS, MEMBERS))
def api_answer(given: tuple[Any, list[tuple[str, str, str]]]) -> None:
    """Every value of an answer but `model` reaches a client of the same API byte for byte."""
    make, members = given
    expected = last_of_each(members)
    if "model" in expected:
        expected["model"] = json.dumps(MODEL).encode()

    told = body.parsed(make(MODEL, pinned=True).whole(object_of(members))) or {}

    assert {name: bytes(value) for name, value in told.items()} == expected


@target(st.tuples(READERS, st.lists(damaged(OBJECTS.map("data: {}\n".format)), max_size=4)))
def api_stream(given: tuple[Any, list[bytes]]) -> None:
    """A stream that keeps the provider's name passes byte for byte, and can always end in an error."""
    make, lines = given
    reader = make(None, pinned=False)

    assert [reader.line(line) for line in lines] == lines
    assert json.loads(reader.broken(BROKEN).rpartition(b"data: ")[2])["type"] == "error"


@target(st.tuples(PAIRS, EVENTS, st.booleans()))
def translated_stream(given: tuple[tuple[str, str], list[tuple[str, dict[str, Any]]], bool]) -> None:
    """Whatever a provider streams, the client gets whole events of its own API."""
    (source, spoken), events, breaks = given
    asked = {"model": MODEL, "stream": True, "messages": [], "input": []}
    reader = TranslatingReader(source, spoken, asked, MODEL, pinned=False, request_id="r")

    told = b""
    for kind, fields in events:
        told += reader.line(b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n") + reader.line(b"\n")
    told += reader.broken(BROKEN) if breaks else reader.end()

    assert not told or told.endswith(b"\n\n")
    for line in told.splitlines():
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            json.loads(line[6:])
    reader.usage()


@target(st.tuples(PAIRS, SAID, damaged(OBJECTS), st.sampled_from([400, 404, 429, 500, 529])))
def translated_answer(given: tuple[tuple[str, str], dict[str, Any], bytes, int]) -> None:
    """Whatever a provider answers is an answer of the client's API, or the provider's failure."""
    (source, spoken), said, odd, status = given
    asked = {"model": MODEL, "messages": [], "input": []}
    reader = TranslatingReader(source, spoken, asked, MODEL, pinned=True, request_id="r")

    for data in (json.dumps(said).encode(), odd):
        told = outcome(UpstreamFailed, reader.whole, data)
        if isinstance(told, bytes):
            assert json.loads(told)["model"] == MODEL
        assert json.loads(reader.refused(status, data) or b"")["error"]["message"]


@target(st.tuples(PAIRS, SAID))
def translated_request(given: tuple[tuple[str, str], dict[str, Any]]) -> None:
    """Whatever a client asks is a request in the provider's API, or a bad one that is told so."""
    (spoken, served), said = given
    provider = Provider(name="p", base_url="http://x/v1", interface="openai", apis=(served,))
    model = Model("p/m", "m", provider)
    sent = json.dumps({**said, "model": "p/m"}).encode()
    asked = Asked(BY_NAME[spoken], body.fields(sent), sent)

    fault = asked.fault(model)
    way = outcome(BadRequest, asked.way, model, MODEL, pinned=False, request_id="r", told={})

    if isinstance(way, BadRequest):
        assert str(way) == str(fault)
    else:
        assert fault is None
        assert json.loads(b"".join(way.body))["model"] == "m"
        assert way.dialect is BY_NAME[served]


@target(st.tuples(DIALECTS, SAID))
def session_hints(given: tuple[str, dict[str, Any]]) -> None:
    """Whatever a body says of its session is a text, and no error."""
    name, said = given

    hints = BY_NAME[name].session_hints(body.fields(json.dumps(said).encode()))

    assert all(isinstance(hint, str) for hint in hints.values())
