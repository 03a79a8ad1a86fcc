"""A model fails: what the operator can set about that, and about how long a session lasts."""

import json
from collections.abc import Callable

import pytest
import requests

from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP, QUICK, ask, pinned

FIRST, SECOND = "gpt-5.2", "gpt-4o-mini"


@pytest.mark.parametrize("mode", ["borrow", "strict"])
def test_the_operator_may_have_sessions_borrow_or_stay(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, mode: str
) -> None:
    pool = start(routing=f"on_failure: {mode}")
    pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    provider.behave("status", code=503, headers={"Retry-After": "1"}, model=FIRST)
    failing = ask(ports[0], "s", DEEP)
    provider.behave(None)
    back = wait_until(
        lambda: answer if (answer := ask(ports[0], "s", QUICK)).json().get("model") == f"openai/{FIRST}" else None,
        what="the return",
    )

    assert failing.status_code == (200 if mode == "borrow" else 503)
    assert failing.headers["x-plano-model"] == f"openai/{SECOND if mode == 'borrow' else FIRST}"
    assert failing.headers.get("x-plano-pin") == ("kept" if mode == "borrow" else None)
    assert pinned(back)


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_a_session_without_a_route_falls_back_on_the_default_only_if_that_is_wanted(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, allowed: str
) -> None:
    pool = start(routing=f"fallback_to_default: {allowed}")
    pool.serve(ports[0])

    provider.behave("status", code=503, model=FIRST)
    answer = ask(ports[0], "s", "zzz", model=f"openai/{FIRST}")

    assert answer.status_code == (200 if allowed == "true" else 503)


def test_sliding_sessions_live_as_long_as_they_are_used_and_no_longer_than_their_age(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start(ttl=100, routing="session_ttl_mode: sliding\n  session_max_age_seconds: 150")
    pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    with redis_of_its_own.client() as client:
        client.expire("plano:affinity:s", 5)
        ask(ports[0], "s", DEEP)
        renewed = client.ttl("plano:affinity:s")
        pin = json.loads(client.get("plano:affinity:s") or b"")
        client.set("plano:affinity:s", json.dumps({**pin, "until": pin["until"] - 120}), keepttl=True)
        ask(ports[0], "s", DEEP)
        near_its_end = client.ttl("plano:affinity:s")

    assert 95 <= renewed <= 100
    assert 20 <= near_its_end <= 30


def test_a_model_that_hangs_is_left_within_the_listeners_time(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start(listener="listeners: [{type: model, name: egress, timeout: 4s}]")
    pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    provider.behave("hang", model=FIRST)
    answer: requests.Response = ask(ports[0], "s", DEEP)

    provider.release()
    assert answer.json()["model"] == f"openai/{SECOND}"
    assert answer.headers["x-plano-fallback"] == f"openai/{FIRST};timeout"
    assert answer.elapsed.total_seconds() < 4
