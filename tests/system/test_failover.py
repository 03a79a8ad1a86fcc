"""A model fails: the next candidate answers, the session moves, and every replica follows."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP, QUICK, ask, pinned

FIRST, SECOND = "gpt-5.2", "gpt-4o-mini"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "status", "code": 503}, "503"),
        ({"kind": "status", "code": 500}, "500"),
        ({"kind": "status", "code": 429, "headers": {"Retry-After": "30"}}, "429"),
        ({"kind": "status", "code": 408}, "408"),
        ({"kind": "close"}, "unreachable"),
        ({"kind": "half_body"}, "unreachable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_next_candidate_answers_and_the_pin_follows_on_every_replica(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
    fault: dict[str, object],
    outcome: str,
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    pool.web(ports[1])
    ask(ports[0], "s", DEEP)

    provider.behave(**fault, model=FIRST)  # type: ignore[arg-type]  # a table of arguments
    failing = ask(ports[0], "s", DEEP)
    provider.behave(None)
    after = [ask(port, "s", DEEP) for port in ports]

    assert failing.status_code == 200
    assert failing.headers["x-plano-model"] == f"openai/{SECOND}"
    assert failing.headers["x-plano-fallback"] == f"openai/{FIRST};{outcome}"
    assert failing.json()["model"] == f"openai/{SECOND}"
    assert not pinned(failing)
    assert "x-plano-pin" not in failing.headers
    assert [(answer.json()["model"], pinned(answer)) for answer in after] == [(f"openai/{SECOND}", True)] * 2
    with redis_of_its_own.client() as client:
        assert json.loads(client.get("plano:affinity:s") or b"") == {
            "model_name": f"openai/{SECOND}",
            "route_name": "deep_reasoning",
        }
        assert not client.exists(f"plano:cooldown:openai/{FIRST}")  # it may have been the request's fault


@pytest.mark.parametrize(
    ("fault", "sits_out_s"),
    [
        ({"kind": "status", "code": 503}, 10),
        ({"kind": "status", "code": 429, "headers": {"Retry-After": "30"}}, 30),
        ({"kind": "close"}, 10),
    ],
    ids=str,
)
def test_a_model_that_fails_two_requests_sits_out(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
    fault: dict[str, object],
    sits_out_s: int,
) -> None:
    """On any two replicas, within ten seconds."""
    pool = start()
    pool.worker()
    pool.web(ports[0])
    pool.web(ports[1])
    for n in range(2):
        redis_pin(redis_of_its_own, f"s-{n}")

    provider.behave(**fault, model=FIRST)  # type: ignore[arg-type]  # a table of arguments
    failing = [ask(port, f"s-{n}", DEEP) for n, port in enumerate(ports)]

    assert [answer.json()["model"] for answer in failing] == [f"openai/{SECOND}"] * 2
    with redis_of_its_own.client() as client:
        assert sits_out_s - 5 <= client.ttl(f"plano:cooldown:openai/{FIRST}") <= sits_out_s


def test_a_failing_model_sits_out_for_sessions_and_replicas_that_never_saw_it_fail(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, redis_of_its_own: RedisServer
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    pool.web(ports[1])
    for n in range(200):
        redis_pin(redis_of_its_own, f"old-{n}")
    old = iter(range(200))

    provider.behave("status", code=503, headers={"Retry-After": "60"}, model=FIRST)
    for n in range(2):
        ask(ports[0], f"s-{n}", DEEP)
    steps = wait_until(
        lambda: step if "cooling" in (step := _step(ports[1], f"old-{next(old)}")) else None,
        what="the other replica's view",
    )
    provider.clear()
    new = ask(ports[1], "new", DEEP)

    assert steps == f"openai/{FIRST};cooling"
    assert new.json()["model"] == f"openai/{SECOND}"
    assert [request.model for request in provider.requests] == [SECOND]


def test_a_stream_fails_over_before_its_first_byte_and_never_after(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])

    provider.behave("close", model=FIRST, times=1)
    before = ask(ports[0], "s-1", DEEP, stream=True)
    provider.behave("half_stream", model=SECOND, times=1)
    after = ask(ports[0], "s-1", DEEP, stream=True)

    assert before.headers["x-plano-fallback"] == f"openai/{FIRST};unreachable"
    assert before.text.endswith("data: [DONE]\n\n")
    assert "x-plano-fallback" not in after.headers
    assert '"error"' in after.text.strip().splitlines()[-1]


def test_other_refusals_pass_through_and_move_nothing(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    ask(ports[0], "s", DEEP)

    provider.behave("status", code=400, model=FIRST, times=1)
    refused = ask(ports[0], "s", DEEP)
    after = ask(ports[0], "s", DEEP)

    assert (refused.status_code, refused.headers["x-plano-model"]) == (400, f"openai/{FIRST}")
    assert "x-plano-fallback" not in refused.headers
    assert (after.json()["model"], pinned(after)) == (f"openai/{FIRST}", True)


def test_when_all_fail_the_last_answer_passes_through(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    ask(ports[0], "s", DEEP)

    provider.behave("status", code=503, body={"error": {"message": "both"}})
    answer = ask(ports[0], "s", DEEP)

    assert (answer.status_code, answer.json()) == (503, {"error": {"message": "both"}})
    assert answer.headers["x-plano-model"] == f"openai/{SECOND}"
    assert answer.headers["x-plano-fallback"] == f"openai/{FIRST};503"


def test_after_its_time_one_request_tries_whether_it_is_well(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, redis_of_its_own: RedisServer
) -> None:
    """And while that one waits for its answer nobody else does."""
    pool = start()
    pool.worker()
    pool.web(ports[0])
    provider.behave("status", code=503, headers={"Retry-After": "1"}, model=FIRST, times=2)
    for _ in range(2):
        ask(ports[0], None, DEEP)
    with redis_of_its_own.client() as client:
        wait_until(lambda: not client.exists(f"plano:cooldown:openai/{FIRST}"), what="the end of the cooldown")
    wait_until(lambda: _probed(ports[0], provider), what="the probe")

    provider.behave(None)
    wait_until(lambda: ask(ports[0], None, DEEP).json()["model"] == f"openai/{FIRST}", what="the recovery")


def redis_pin(server: RedisServer, session: str) -> None:
    """A session that was pinned to the first model some time ago."""
    with server.client() as client:
        pin = {"model_name": f"openai/{FIRST}", "route_name": "deep_reasoning"}
        client.set(f"plano:affinity:{session}", json.dumps(pin), ex=60)


def _step(port: int, session: str) -> str:
    return ask(port, session, DEEP).headers.get("x-plano-fallback", "")


def _probed(port: int, provider: Provider) -> bool:
    """Whether of six requests at once exactly one tried the model on probation, which hangs meanwhile."""
    provider.clear()
    provider.behave("hang", model=FIRST)
    with ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(ask, port, None, DEEP) for _ in range(6)]
        wait_until(lambda: provider.hanging + sum(each.done() for each in asked) == 6, what="all but the probe")
        tried = provider.hanging
        provider.release()
    assert all(each.result().ok for each in asked)
    assert tried <= 1
    return tried == 1


@pytest.mark.parametrize("mode", ["borrow", "strict"])
def test_the_operator_may_have_sessions_borrow_or_stay(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, mode: str
) -> None:
    pool = start(routing=f"on_failure: {mode}")
    pool.worker()
    pool.web(ports[0])
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
    pool.worker()
    pool.web(ports[0])

    provider.behave("status", code=503, model=FIRST)
    answer = ask(ports[0], "s", "zzz", model=f"openai/{FIRST}")

    assert answer.status_code == (200 if allowed == "true" else 503)


def test_sliding_sessions_live_as_long_as_they_are_used_and_no_longer_than_their_age(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start(ttl=100, routing="session_ttl_mode: sliding\n  session_max_age_seconds: 150")
    pool.worker()
    pool.web(ports[0])
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
    pool.worker()
    pool.web(ports[0])
    ask(ports[0], "s", DEEP)

    provider.behave("hang", model=FIRST)
    answer: requests.Response = ask(ports[0], "s", DEEP)

    provider.release()
    assert answer.json()["model"] == f"openai/{SECOND}"
    assert answer.headers["x-plano-fallback"] == f"openai/{FIRST};timeout"
    assert answer.elapsed.total_seconds() < 4
