"""A session stays on the model it was given."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis
import requests

from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.web.gateway import CHAT, DECISION, REVIEW, SMALL_TALK, WRITE, Gateway, body

PREFERENCES: list[dict[str, Any]] = [
    {"name": "reviews", "description": "review this", "models": ["openai/gpt-5.2", "gpt-4o-mini"]},
    {"name": "poems", "description": "verse", "models": ["openai/gpt-4o-mini"], "selection_policy": {"prefer": ""}},
]


def pin_of(cache: redis.Redis, session: str) -> Any:
    value = cache.get(f"plano:affinity:{session}")
    return value and json.loads(value)


def _write_pin(cache: redis.Redis, session: str, model: str) -> None:
    value = json.dumps({"model_name": model, "route_name": "deep_reasoning"})
    cache.set(f"plano:affinity:{session}", value, ex=60)


def test_the_first_request_is_routed_and_the_later_ones_are_pinned(
    web: Gateway, router: Router, session: str
) -> None:
    first, *later = [web.chat(text, session) for text in (REVIEW, WRITE, SMALL_TALK)]

    assert first.headers["x-plano-model"] == first.json()["model"] == "openai/gpt-5.2"
    assert first.headers["x-plano-route"] == "deep_reasoning"
    assert "x-plano-pinned" not in first.headers
    assert "x_plano_pinned" not in first.json()
    for answer in later:
        assert answer.headers["x-plano-model"] == answer.json()["model"] == "openai/gpt-5.2"
        assert answer.headers["x-plano-route"] == "deep_reasoning"
        assert answer.headers["x-plano-pinned"] == "true"
        assert answer.json()["x_plano_pinned"] is True
    assert router.calls == 1


def test_without_a_session_every_request_is_routed_and_none_is_pinned(
    web: Gateway, router: Router, cache: redis.Redis
) -> None:
    before = set(map(str, cache.keys("plano:affinity:*")))

    models = [web.chat(text).headers["x-plano-model"] for text in (REVIEW, WRITE)]

    assert models == ["openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514"]
    assert router.calls == 2
    assert set(map(str, cache.keys("plano:affinity:*"))) == before


def test_a_pin_stands_in_redis_as_other_implementations_read_it(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    web.chat(REVIEW, session)

    assert pin_of(cache, session) == {"model_name": "openai/gpt-5.2", "route_name": "deep_reasoning"}
    assert 0 < cache.ttl(f"plano:affinity:{session}") <= 600


@pytest.mark.parametrize("written", ["gpt-5.2", "clever", "openai/gpt-5.2"])
def test_a_pin_that_names_its_model_otherwise_is_understood(
    web: Gateway, cache: redis.Redis, session: str, written: str
) -> None:
    """By its bare id or an alias, as another implementation may have written it; answers name it as ever."""
    _write_pin(cache, session, written)

    answer = web.chat(WRITE, session)
    decision = web.decide(WRITE, session)

    assert (answer.headers["x-plano-model"], answer.headers["x-plano-pinned"]) == ("openai/gpt-5.2", "true")
    assert answer.json()["model"] == "openai/gpt-5.2"
    assert decision.headers["x-plano-model"] == "openai/gpt-5.2"
    assert decision.json()["models"] == ["openai/gpt-5.2", "openai/gpt-4o-mini"]
    assert pin_of(cache, session)["model_name"] == written


def test_a_pin_that_names_its_model_otherwise_moves_when_that_fails(
    web: Gateway, cache: redis.Redis, provider: Provider, session: str
) -> None:
    _write_pin(cache, session, "gpt-5.2")
    provider.behave("status", code=503, model="gpt-5.2")

    answer = web.chat(WRITE, session)

    assert answer.headers["x-plano-fallback"] == "openai/gpt-5.2;503"
    assert pin_of(cache, session)["model_name"] == answer.headers["x-plano-model"] == "openai/gpt-4o-mini"


def test_a_session_that_no_route_fits_is_pinned_to_its_own_model(
    web: Gateway, router: Router, cache: redis.Redis, session: str
) -> None:
    """By its qualified name, however the client called it."""
    first = web.chat(SMALL_TALK, session, model="gpt-5.2")
    second = web.chat(WRITE, session, model="gpt-4o-mini")

    assert pin_of(cache, session) == {"model_name": "openai/gpt-5.2", "route_name": None}
    assert "x-plano-route" not in first.headers
    assert (second.json()["model"], second.json()["x_plano_pinned"]) == ("openai/gpt-5.2", True)
    assert "x-plano-route" not in second.headers
    assert router.calls == 1


def test_simultaneous_first_requests_are_one_decision(web: Gateway, router: Router, session: str) -> None:
    """Fault 1 of the reference: each of them was routed, and answers came from several models."""
    router.delay = 0.1

    def ask(text: str) -> requests.Response:
        with closing(Gateway(web.port)) as client:
            return client.chat(text, session)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, [REVIEW, WRITE] * 4))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["model"] for answer in answers}) == 1
    assert router.calls == 1


def test_a_pin_whose_model_is_gone_is_dropped_and_the_session_routed_anew(
    web: Gateway, router: Router, cache: redis.Redis, session: str
) -> None:
    """Fault 6 of the reference: it was sent to the default provider."""
    cache.set(f"plano:affinity:{session}", '{"model_name":"openai/gone","route_name":"deep_reasoning"}', ex=60)

    first, second = web.chat(WRITE, session), web.chat(REVIEW, session)

    assert first.headers["x-plano-model"] == "anthropic/claude-sonnet-4-20250514"
    assert "x-plano-pinned" not in first.headers
    assert second.headers["x-plano-model"] == "anthropic/claude-sonnet-4-20250514"
    assert pin_of(cache, session)["model_name"] == "anthropic/claude-sonnet-4-20250514"
    assert router.calls == 1


def test_a_value_that_is_no_pin_does_not_stand_in_the_way(web: Gateway, cache: redis.Redis, session: str) -> None:
    cache.set(f"plano:affinity:{session}", "none", ex=60)

    answer = web.chat(REVIEW, session)

    assert answer.headers["x-plano-model"] == "openai/gpt-5.2"
    assert pin_of(cache, session)["model_name"] == "openai/gpt-5.2"


def test_a_pin_that_another_implementation_wrote_is_followed(
    web: Gateway, router: Router, cache: redis.Redis, session: str
) -> None:
    cache.set(f"plano:affinity:{session}", '{ "model_name": "openai/gpt-5.2", "route_name": null, "x": 1 }', ex=60)

    answer = web.chat(WRITE, session)

    assert (answer.json()["model"], answer.json()["x_plano_pinned"]) == ("openai/gpt-5.2", True)
    assert router.calls == 0


def test_routes_that_came_with_the_request_stand_in_its_pin(
    web: Gateway, router: Router, cache: redis.Redis, session: str
) -> None:
    """Later requests need not repeat them, and still know what to fall back on."""
    first = web.decide(REVIEW, session, routing_preferences=PREFERENCES).json()
    later = web.decide(WRITE, session).json()

    ranked = ["openai/gpt-5.2", "openai/gpt-4o-mini"]
    assert pin_of(cache, session) == {"model_name": ranked[0], "route_name": "reviews", "models": ranked}
    assert (first["models"], first["route"], first["pinned"]) == (ranked, "reviews", False)
    assert (later["models"], later["route"], later["pinned"]) == (ranked, "reviews", True)
    assert [route["name"] for route in PREFERENCES] == [
        name for name in ("reviews", "poems") if name in router.requests[0].body.decode()
    ]
    assert "code_generation" not in router.requests[0].body.decode()


@pytest.mark.parametrize("header", ["X-Model-Affinity", "X-Routing-Session-Id", "X-Session-Id", "x-SESSION-id"])
def test_each_name_of_the_header_names_the_same_session(web: Gateway, session: str, header: str) -> None:
    web.chat(REVIEW, session)

    answer = web.ask("POST", CHAT, body(WRITE), **{header: session})

    assert answer.json()["model"] == "openai/gpt-5.2"
    assert answer.headers["x-plano-pinned"] == "true"


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        ({"x_session_id": "c", "x_routing_session_id": "b", "x_model_affinity": "a"}, "a"),
        ({"x_session_id": "c", "x_routing_session_id": "b"}, "b"),
        ({"x_session_id": "c", "x_model_affinity": ""}, "c"),
        ({"x_model_affinity": b"\xc3\xbcber a:b  "}, "über a:b"),
        ({"x_model_affinity": "x" * 256}, "x" * 256),
    ],
)
def test_the_first_name_that_says_something_counts(web: Gateway, headers: dict[str, str | bytes], meant: str) -> None:
    answer = web.ask("POST", DECISION, body(), **headers)

    assert answer.json()["session_id"] == meant


@pytest.mark.parametrize("blank", [b"", b"\xc2\xa0"])
def test_a_blank_session_is_none(web: Gateway, router: Router, blank: bytes) -> None:
    """Fault 5 of the reference: the empty id was one session for everybody."""
    answers = [web.ask("POST", DECISION, body(REVIEW), x_model_affinity=blank).json() for _ in range(2)]

    assert [answer["pinned"] for answer in answers] == [False, False]
    assert not any("session_id" in answer for answer in answers)
    assert router.calls == 2
