"""A stream passes line by line, as it arrives."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.fakes.faults import BIG_LINE_BYTES
from tests.fakes.provider import Provider
from tests.fakes.speech import KEPT, ODD
from tests.harness import wait_until
from tests.web.gateway import REVIEW, SMALL_TALK, WRITE, Gateway, Webs

PAUSE_S = 0.5
"""Between the events: the first one is read long before the last one is sent."""
MODEL = b'"model":"gpt-4o-mini"'
QUALIFIED = b'"model":"openai/gpt-4o-mini"'


def theirs(provider: Provider) -> bytes:
    """The stream that the provider sends by itself."""
    asked = provider.requests[-1].body
    return requests.post(f"{provider.url}/chat/completions", data=asked, timeout=5).content


def events(stream: bytes) -> list[Any]:
    data = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in data if line != b"[DONE]"]


def content(events: list[Any]) -> str:
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events)


def lines(answer: requests.Response) -> Iterator[bytes]:
    return (line for line in answer.iter_lines() if line)


def read(web: Gateway, text: str = SMALL_TALK, session: str | None = None) -> bytes:
    with web.streaming(text, session) as answer:
        return answer.content


def test_every_chunk_names_the_qualified_model_and_keeps_all_else(web: Gateway, provider: Provider) -> None:
    stream = read(web)

    assert len(events(stream)) > 4
    assert events(stream) == [{**event, "model": "openai/gpt-4o-mini"} for event in events(theirs(provider))]
    for value in (KEPT, ODD):
        assert stream.count(value.partition(b": ")[2]) == len(events(stream))
    assert stream.endswith(b"\n\ndata: [DONE]\n\n")


def test_a_pinned_stream_says_so_in_its_headers_only(web: Gateway, session: str) -> None:
    web.chat(REVIEW, session)

    with web.streaming(WRITE, session) as answer:
        stream = answer.content

    assert answer.headers["x-plano-pinned"] == "true"
    assert {event["model"] for event in events(stream)} == {"openai/gpt-5.2"}
    assert b"x_plano_pinned" not in stream


def test_nothing_on_the_way_may_collect_a_stream(web: Gateway) -> None:
    with web.streaming() as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.raw.headers.getlist("cache-control") == ["no-cache"]
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"
        assert "content-length" not in answer.headers


def test_each_event_arrives_while_the_next_is_still_to_come(web: Gateway, provider: Provider) -> None:
    provider.pause = PAUSE_S

    with web.streaming() as answer:
        first = next(lines(answer))

        assert provider.open == 1
    assert QUALIFIED in first


def test_a_client_that_leaves_ends_the_providers_work(web: Gateway, provider: Provider) -> None:
    provider.pause = PAUSE_S

    with web.streaming() as answer:
        next(lines(answer))

    wait_until(lambda: provider.open == 0, what="the end of the provider's answer")
    assert provider.left == 1


@pytest.mark.parametrize("kind", ["crlf", "split", "unterminated"])
def test_a_stream_keeps_its_lines_however_they_end_and_arrive(web: Gateway, provider: Provider, kind: str) -> None:
    provider.behave(kind)

    stream = read(web)

    sent = theirs(provider)
    assert events(stream) == [{**event, "model": "openai/gpt-4o-mini"} for event in events(sent)]
    assert [line[:6] for line in stream.split(b"\n")] == [line[:6] for line in sent.split(b"\n")]
    assert stream.count(b"\r") == sent.count(b"\r")
    assert stream.endswith(sent[-8:])


def test_a_line_of_two_megabytes_is_a_line(web: Gateway, provider: Provider) -> None:
    provider.behave("big_line")

    stream = read(web)

    big = events(stream)[1]
    assert len(big.pop("padding")) == BIG_LINE_BYTES
    assert {event["model"] for event in events(stream)} == {"openai/gpt-4o-mini"}
    assert stream.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "line",
    [
        b'data: {"model": "gpt-4o-mini"',
        b'event: {"model":"x"}',
        b': "model" is a comment',
        b'data: "model"',
        b'data:[{"model":"x"}]',
        b'id: 1\r\ndata: {"choices":[{"model":"x"}]}',
    ],
)
def test_a_line_that_is_no_object_with_a_model_is_untouched(web: Gateway, provider: Provider, line: bytes) -> None:
    sent = line + b"\n\ndata:  [DONE]\n\n"
    provider.behave("status", code=200, body=sent, headers={"Content-Type": "text/event-stream"})

    assert read(web) == sent


def test_an_event_may_come_without_a_space(web: Gateway, provider: Provider) -> None:
    sent = b'event: m\ndata:{"a": 1.50,"model":"gpt-4o-mini"}\n\ndata:   {"model" : null}\n'
    provider.behave("status", code=200, body=sent, headers={"Content-Type": "text/event-stream"})

    stream = read(web)

    assert stream == b'event: m\ndata:{"a":1.50,' + QUALIFIED + b"}\n\ndata:   {" + QUALIFIED + b"}\n"


def test_a_stream_that_breaks_off_ends_with_an_error_event(web: Gateway, provider: Provider) -> None:
    provider.behave("half_stream")

    with web.streaming() as answer:
        *whole, last = events(answer.content)

    assert answer.status_code == 200
    assert len(whole) == 2
    assert last["error"]["code"] == "upstream_unreachable"
    assert list(last["error"]) == ["message", "type", "param", "code"]


def test_a_stream_that_falls_silent_ends_with_an_error_event(webs: Webs, provider: Provider) -> None:
    """After the time limit of the strict site, a second."""
    provider.pause = 5

    stream = read(webs.strict)

    *whole, last = events(stream)
    assert [event["model"] for event in whole] == ["gpt-4o-mini"]
    assert last["error"]["code"] == "upstream_timeout"
    assert provider.calls == 1


def test_an_error_instead_of_a_stream_is_an_error(web: Gateway, provider: Provider) -> None:
    provider.behave("status", code=400, body=b'{"error": {"message": "no"}}')

    with web.streaming() as answer:
        said = answer.content

    assert (answer.status_code, said) == (400, b'{"error": {"message": "no"}}')
    assert answer.headers["content-type"] == "application/json"


def test_many_streams_run_side_by_side(web: Gateway, provider: Provider) -> None:
    provider.pause = 4 * PAUSE_S  # none has ended when the last one begins

    with web.streaming() as one, web.streaming() as two, web.streaming() as three:
        wait_until(lambda: provider.open == 3)
        first = [next(lines(answer)) for answer in (one, two, three)]

        assert provider.open == 3
    assert all(QUALIFIED in line for line in first)


def test_a_providers_own_names_may_stay_in_a_stream(webs: Webs, provider: Provider) -> None:
    stream = read(webs.strict)

    assert stream == theirs(provider)
    assert MODEL in stream
