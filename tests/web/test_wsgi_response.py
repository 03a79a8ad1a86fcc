"""The response that goes out as it is."""

from collections.abc import Iterator
from typing import Any

import pytest

from web.proxy.wsgi_response import WsgiResponse

GET = {"REQUEST_METHOD": "GET"}


class Started:
    """What the server was told when a response began."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, headers


@pytest.fixture
def started() -> Started:
    return Started()


def body_of(response: WsgiResponse, environ: dict[str, Any], started: Started) -> bytes:
    sent = response(environ, started)
    try:
        return b"".join(sent)
    finally:
        sent.close()


def test_bytes_go_out_with_their_length(started: Started) -> None:
    response = WsgiResponse(b"{}", headers=[("content-type", "application/json")])

    assert body_of(response, GET, started) == b"{}"
    assert started.status == "200 OK"
    assert started.headers == [("content-type", "application/json"), ("Content-Length", "2")]


def test_a_head_request_gets_the_length_and_no_body(started: Started) -> None:
    assert body_of(WsgiResponse(b"{}"), {"REQUEST_METHOD": "HEAD"}, started) == b""
    assert started.headers == [("Content-Length", "2")]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_length(status: int, started: Started) -> None:
    assert body_of(WsgiResponse(b"", status), GET, started) == b""
    assert started.headers == []


def test_a_status_that_nobody_knows_goes_out(started: Started) -> None:
    body_of(WsgiResponse(b"", 529), GET, started)

    assert started.status == "529 Unknown"


def test_a_stream_is_closed_before_those_who_wait_for_its_end_are_told(started: Started) -> None:
    said: list[str] = []

    def stream() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            said.append("stream")

    response = WsgiResponse(stream())
    response.call_on_close(lambda: said.append("told"))
    sent = response(GET, started)

    assert next(iter(sent)) == b"a"
    sent.close()  # its client has gone
    assert said == ["stream", "told"]


def test_headers_are_added_behind_those_it_has(started: Started) -> None:
    response = WsgiResponse(b"", headers=[("x-a", "1")])
    response.add([("x-plano-fallback", "openai/gpt-5.2;503")])

    assert response.headers["X-Plano-Fallback"] == "openai/gpt-5.2;503"
    body_of(response, GET, started)
    assert ("x-plano-fallback", "openai/gpt-5.2;503") in started.headers
