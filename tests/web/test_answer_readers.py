"""What is read of answers of the Messages and the Responses API, and of those that are translated."""

import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from shared.domain.money import Usage
from web.dialects import messages, responses
from web.dialects.dialect import AnswerReader
from web.dialects.error_table import ErrorInfo
from web.proxy import streams
from web.proxy.providers.answer import Answer
from web.translation.answer_translator import TranslatingReader

BROKEN = ErrorInfo(status=502, message="broke off", type="upstream_error", code="upstream_unreachable")
CHAT_REQUEST: dict[str, Any] = {"model": "p/m", "messages": [{"role": "user", "content": "hi"}]}


def sent(kind: str, **fields: Any) -> list[bytes]:
    return [b"event: %b\n" % kind.encode(), b"data: %b\n" % json.dumps({"type": kind, **fields}).encode(), b"\n"]


def read(reader: AnswerReader, *events: list[bytes]) -> bytes:
    return b"".join(reader.line(line) for event in events for line in event)


def translating(source: str, target: str, request: dict[str, Any] | None = None) -> TranslatingReader:
    return TranslatingReader(source, target, request or CHAT_REQUEST, "p/m", pinned=True, request_id="r")


def test_usage_of_a_streamed_message_comes_in_two_parts() -> None:
    reader = messages.reader("p/m", pinned=False)
    begun = {
        "input_tokens": 5,
        "cache_read_input_tokens": 90,
        "cache_creation_input_tokens": 8,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 6},
        "output_tokens": 1,
    }
    ended = {"output_tokens": 7, "cache_creation_input_tokens": 8, "output_tokens_details": {"thinking_tokens": 3}}

    read(
        reader,
        sent("message_start", message={"id": "a", "model": "m", "usage": begun}),
        sent("message_delta", delta={"stop_reason": "end_turn"}, usage=ended),
    )

    assert reader.usage() == Usage(input=5, cached=90, cache_write_5m=2, cache_write_1h=6, output=7, reasoning=3)


def test_only_the_models_name_changes_in_a_streamed_message() -> None:
    events = [*sent("message_start", message={"id": "a", "model": "m", "x": [1e2]}), *sent("ping"), b": comment\n"]

    out = read(messages.reader("p/m", pinned=False), events)

    assert out.replace(b'"p/m"', b'"m"').replace(b" ", b"") == b"".join(events).replace(b" ", b"")
    assert b'"model":"p/m"' in out
    assert read(messages.reader(None, pinned=False), events) == b"".join(events)


def test_usage_and_id_of_a_response_are_read_once() -> None:
    heard: list[str] = []
    reader = responses.reader("p/m", pinned=False, noted=heard.append)
    usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}

    out = read(
        reader,
        sent("response.created", sequence_number=0, response={"id": "resp_1", "model": "m", "usage": None}),
        sent("response.completed", sequence_number=1, response={"id": "resp_1", "model": "m", "usage": usage}),
    )

    assert heard == ["resp_1"]
    assert reader.usage() == Usage(input=5, cached=4, output=3)
    assert out.count(b'"p/m"') == 2


def test_the_error_of_a_response_continues_its_numbers() -> None:
    reader = responses.reader(None, pinned=False)
    read(reader, sent("response.output_text.delta", sequence_number=6, delta="a"))

    said = json.loads(reader.broken(BROKEN).partition(b"data: ")[2])

    assert (said["type"], said["sequence_number"], said["code"]) == ("error", 7, "upstream_unreachable")


def test_a_translated_answer_says_its_usage_and_its_pin() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 7}
    content = [{"type": "text", "text": "hi"}]
    answer = {"id": "msg_1", "model": "m", "content": content, "stop_reason": "end_turn", "usage": usage}
    reader = translating("messages", "chat")

    said = json.loads(reader.whole(json.dumps(answer).encode()))

    assert (said["model"], said["x_plano_pinned"]) == ("p/m", True)
    assert reader.usage() == Usage(input=5, cached=90, output=7)


def test_usage_of_a_stream_through_chat_is_counted_once() -> None:
    reader = translating("messages", "responses", {"model": "p/m", "input": "hi", "stream": True})
    begun = {"input_tokens": 5, "output_tokens": 1}

    out = read(
        reader,
        sent("message_start", message={"id": "msg_a", "model": "m", "usage": begun}),
        sent("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        sent("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"}),
        sent("content_block_stop", index=0),
        sent("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7}),
        sent("message_stop"),
    )
    out += reader.end()

    data = [json.loads(line[6:]) for line in out.splitlines() if line.startswith(b"data: ")]
    assert [each["sequence_number"] for each in data] == list(range(len(data)))
    assert [each["type"] for each in data].count("response.completed") == 1
    assert data[-1]["response"]["usage"]["total_tokens"] == 12
    assert reader.usage() == Usage(input=5, output=7)


def test_lines_of_an_event_may_end_and_be_split_in_any_way() -> None:
    reader = translating("messages", "chat", {**CHAT_REQUEST, "stream": True})
    start = json.dumps({"type": "message_start", "message": {"id": "a", "model": "m"}}).encode()
    half = start.index(b",") + 1

    out = read(
        reader, [b"data:" + start[:half] + b"\r\n", b"data: " + start[half:] + b"\r\n", b"\r\n", b"data: no\n\n"]
    )

    assert b'"role":"assistant"' in out


def test_what_is_no_json_is_an_error_in_the_clients_shape() -> None:
    said = json.loads(translating("chat", "messages").refused(503, b"<html>") or b"")

    assert said["error"] == {"type": "overloaded_error", "message": "The provider answered 503"}
    assert said["request_id"] == "r"


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "too long: 3 > 2", "type": None, "param": None, "code": 9, "innererror": {}}},
        [{"error": {"message": "too long: 3 > 2", "status": "INVALID_ARGUMENT"}}],
        {"message": "too long: 3 > 2", "type": "x", "param": {}},
        {"detail": "too long: 3 > 2"},
        {"error": "too long: 3 > 2"},
    ],
)
def test_an_error_keeps_its_providers_words_in_whatever_shape_it_comes(said: Any) -> None:
    told = json.loads(translating("chat", "messages").refused(400, json.dumps(said).encode()) or b"")

    assert told["error"] == {"type": "invalid_request_error", "message": "too long: 3 > 2"}


@pytest.mark.parametrize("said", [b"null", b"[]", b"[1]", b"{}", b'{"error": null}', b'{"message": {}}'])
def test_an_error_without_words_is_told_by_its_status(said: bytes) -> None:
    told = json.loads(translating("chat", "responses").refused(500, said) or b"")

    assert told["error"]["message"] == "The provider answered 500"


class Silent:
    """An answer whose provider is silent for a while after its first event."""

    def heard(self, every_s: float) -> Iterator[bytes | None]:
        assert every_s == streams.PING_S
        chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hello"}}]}
        yield b"data: %b\n\n" % json.dumps(chunk).encode()
        yield None
        yield b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def test_a_messages_client_is_told_that_its_silent_provider_is_there() -> None:
    reader = translating("chat", "messages", {"model": "p/m", "messages": [], "max_tokens": 5, "stream": True})

    out = b"".join(streams.events(cast(Answer, Silent()), reader))

    kinds = [line[7:].decode() for line in out.splitlines() if line.startswith(b"event: ")]
    assert kinds.count("ping") == 1
    assert kinds.index("ping") < kinds.index("content_block_stop")
    assert kinds[-1] == "message_stop"


class Busy:
    """An answer whose provider says no more than that it is there."""

    def heard(self, every_s: float) -> Iterator[bytes | None]:
        for _ in range(3):
            time.sleep(every_s)
            yield b": keepalive\n\n"


@pytest.mark.parametrize(("target", "sign"), [("messages", b"event: ping\n"), ("responses", b": ")])
def test_what_a_provider_says_to_nobody_keeps_no_client_waiting(target: str, sign: bytes) -> None:
    out = list(streams.events(cast(Answer, Busy()), translating("chat", target), ping_s=0.01))

    assert [chunk.startswith(sign) for chunk in out[:3]] == [True] * 3
