"""What is refused is refused in one shape, says what is wrong, and leaves nothing behind."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import requests

from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.web.gateway import CHAT, DECISION, REVIEW, Gateway, Outside, Webs, body, error_of
from tests.web.sites import SMALL_BODY

MESSAGES = '"messages": [{"role": "user", "content": "review"}]'
ROUTE = {"name": "a", "description": "d", "models": ["openai/gpt-5.2"]}


def preferences(*entries: Any) -> bytes:
    return body(REVIEW, routing_preferences=list(entries))


@pytest.mark.parametrize(
    ("sent", "param", "says"),
    [
        (b"", None, "not JSON"),
        (b"{", None, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b'{"messages": [' + b"[" * 100_000, None, ""),
        (b"[1]", None, "not an object"),
        (b'"text"', None, "not an object"),
        (b'{"model": "gpt-5.2"}', "messages", "missing or empty"),
        (b'{"messages": []}', "messages", "missing or empty"),
        (b'{"messages": [ ]}', "messages", "missing or empty"),
        (b'{"messages": "review"}', "messages", "messages"),
        (b'{"messages": [1]}', "messages[0]", "object"),
        (b'{"messages": [{"role": "user", "content": "x"}, null]}', "messages[1]", "object"),
        (f'{{"model": 5, {MESSAGES}}}'.encode(), "model", "string"),
        (f'{{"routing_preferences": {{}}, {MESSAGES}}}'.encode(), "routing_preferences", "array"),
        (preferences(1), "routing_preferences[0]", "object"),
        (preferences(ROUTE, {**ROUTE, "name": 7}), "routing_preferences[1].name", "str"),
        (preferences({"name": "a", "description": "d"}), "routing_preferences[0]", "models"),
        (preferences({**ROUTE, "models": []}), "routing_preferences[0].models", "at least one"),
        (preferences({**ROUTE, "name": " "}), "routing_preferences[0].name", "blank"),
        (preferences(ROUTE, ROUTE), "routing_preferences[1].name", "twice"),
        (
            preferences({**ROUTE, "selection_policy": {"prefer": "best"}}),
            "routing_preferences[0].selection_policy.prefer",
            "cheapest",
        ),
        (
            preferences({**ROUTE, "selection_policy": {"prefer": "cheapest"}}),
            "routing_preferences[0].selection_policy.prefer",
            "needs a source of type cost",
        ),
        (
            preferences({**ROUTE, "models": ["gpt-5.2", "openai/none"]}),
            "routing_preferences[0].models[1]",
            "openai/none",
        ),
    ],
)
@pytest.mark.parametrize("path", [CHAT, DECISION])
def test_an_unusable_body_is_a_bad_request_that_says_where(
    web: Gateway,
    outside: Outside,
    cache: redis.Redis,
    session: str,
    path: str,
    sent: bytes,
    param: str | None,
    says: str,
) -> None:
    """Fault 14 of the reference: malformed preferences were ignored."""
    answer = web.ask("POST", path, sent, x_model_affinity=session)

    said = error_of(answer)
    assert answer.status_code == 400
    assert (said["type"], said["param"]) == ("invalid_request_error", param)
    assert says in said["message"]
    assert not cache.exists(f"plano:affinity:{session}")
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


@pytest.mark.parametrize("path", [CHAT, DECISION])
@pytest.mark.parametrize("model", ["openai/none", "none", "nobody/gpt-5.2", "house/*", "house/", "/"])
def test_a_model_that_is_not_configured_is_not_found(
    web: Gateway, provider: Provider, cache: redis.Redis, session: str, path: str, model: str
) -> None:
    answer = web.ask("POST", path, body(REVIEW, model=model), x_model_affinity=session)

    said = error_of(answer)
    assert answer.status_code == 404
    assert (said["type"], said["param"], said["code"]) == ("invalid_request_error", "model", "model_not_found")
    assert model in said["message"]
    assert not cache.exists(f"plano:affinity:{session}")
    assert provider.calls == 0


@pytest.mark.parametrize("header", ["X-Model-Affinity", "X-Routing-Session-Id", "X-Session-Id"])
@pytest.mark.parametrize(
    ("value", "says"),
    [(b"x" * 257, "256"), (b"a\tb", "control"), (b"a\xc2\x85b", "control")],
)
def test_a_session_id_is_short_and_printable(
    web: Gateway, outside: Outside, header: str, value: bytes, says: str
) -> None:
    answer = web.ask("POST", CHAT, body(REVIEW), **{header: value})

    said = error_of(answer)
    assert answer.status_code == 400
    assert (said["type"], said["param"]) == ("invalid_request_error", header)
    assert says in said["message"]
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


@pytest.mark.parametrize(
    "lines",
    [
        b"X-Model-Affinity: a\x01b\r\n",
        b"X-Model-Affinity: a\x00b\r\n",
        b"X-Model-Affinity: a\x7fb\r\n",
        b"Content-Length: -1\r\n",
        b"No colon\r\n",
    ],
)
def test_what_http_forbids_is_refused_in_the_same_shape(web: Gateway, outside: Outside, lines: bytes) -> None:
    sent = body(REVIEW)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines
    if b"Content-Length" not in lines:
        head += b"Content-Length: %d\r\n" % len(sent)

    head, _, said = web.raw(head + b"\r\n" + sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\ncontent-type: application/json\r\n" in head.lower() + b"\r\n"
    assert b"\r\nx-request-id: " in head.lower()
    assert list(json.loads(said)["error"]) == ["message", "type", "param", "code"]
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


def _pieces(size: int) -> Iterator[bytes]:
    yield b'{"messages": ['
    yield b" " * size
    yield b"]}"


def test_a_body_over_the_limit_is_too_large(webs: Webs, outside: Outside) -> None:
    announced = webs.strict.chat("x" * SMALL_BODY, "s")
    chunked = requests.post(
        f"http://127.0.0.1:{webs.strict.port}{CHAT}", data=_pieces(SMALL_BODY), headers=webs.strict.headers, timeout=5
    )

    for answer in (announced, chunked):
        assert answer.status_code == 413, answer.text
        assert error_of(answer)["type"] == "invalid_request_error"
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 0]


def test_a_body_just_below_the_limit_is_served(webs: Webs) -> None:
    room = SMALL_BODY - len(body("", model="openai/gpt-5.2"))

    assert webs.strict.chat("x" * room, model="openai/gpt-5.2").status_code == 200
    assert webs.strict.chat("x" * (room + 1), model="openai/gpt-5.2").status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", DECISION, "POST"),
        ("PUT", DECISION, "POST"),
        ("OPTIONS", DECISION, "POST"),
        ("GET", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("POST", "/livez", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    web: Gateway, router: Router, method: str, path: str, allowed: str
) -> None:
    """Fault 30 of the reference: the decision endpoint answered any method."""
    answer = web.ask(method, path, body(REVIEW))

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert error_of(answer)["code"] == "method_not_allowed"
    assert router.calls == 0


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/chat", "/v1/chat/completions/", "/v1//chat/completions", "/v1/models/", "/admin/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_there_is_nothing_elsewhere(web: Gateway, method: str, path: str) -> None:
    answer = web.ask(method, path, body())

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "not_found"


def test_a_request_id_is_kept_in_errors(web: Gateway) -> None:
    answers = [web.ask("POST", path, b"{", x_request_id="mine") for path in (CHAT, "/nowhere")]

    assert [answer.headers["x-request-id"] for answer in answers] == ["mine", "mine"]


def test_a_connection_survives_a_refusal(web: Gateway, provider: Provider) -> None:
    """With its unread body out of the way, the next request is understood."""
    refused = [web.ask("GET", CHAT, b"x" * 50_000), web.ask("POST", "/nowhere", b"x" * 50_000)]

    answer = web.chat()

    assert [refusal.status_code for refusal in refused] == [405, 404]
    assert answer.status_code == 200
    assert provider.calls == 1
