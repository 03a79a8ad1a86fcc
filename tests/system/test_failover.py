"""A model fails: the next candidate answers, the session moves, and every replica follows."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask, pinned
from tests.system.conftest import config_text

FIRST, SECOND = "gpt-5.2", "gpt-4o-mini"
OF_A_TEST = ("affinity", "cooldown", "failures", "probe", "suspected")
"""What a test leaves in Redis."""


@pytest.fixture(scope="module")
def outside() -> Iterator[tuple[Provider, Router]]:
    with Provider() as provider, Router() as router:
        yield provider, router


@pytest.fixture
def provider(outside: tuple[Provider, Router]) -> Provider:
    return outside[0]


@pytest.fixture(scope="module")
def redis_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ports(
    tmp_path_factory: pytest.TempPathFactory, outside: tuple[Provider, Router], redis_of_its_own: RedisServer
) -> Iterator[tuple[int, int]]:
    """Those of two web processes, which all these tests ask."""
    both = free_port(), free_port()
    pool = Pool(tmp_path_factory.mktemp("pool"), config_text(*outside), redis_of_its_own.url)
    with running(pool):
        pool.serve(*both)
        yield both


@pytest.fixture(autouse=True)
def at_ease(provider: Provider, ports: tuple[int, int], redis_of_its_own: RedisServer) -> Iterator[None]:
    """After each test the provider behaves again, and no process knows of a model that sits out."""
    yield
    provider.behave(None)
    forget(redis_of_its_own)
    wait_until(lambda: all(well(port, redis_of_its_own) for port in ports), what="the end of the cooldowns")
    forget(redis_of_its_own)
    provider.clear()


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
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
    fault: dict[str, object],
    outcome: str,
) -> None:
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
            "left": f"openai/{FIRST}",
            "why": outcome,
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
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
    fault: dict[str, object],
    sits_out_s: int,
) -> None:
    """On any two replicas, within ten seconds."""
    for n in range(2):
        redis_pin(redis_of_its_own, f"s-{n}")

    provider.behave(**fault, model=FIRST)  # type: ignore[arg-type]  # a table of arguments
    failing = [ask(port, f"s-{n}", DEEP) for n, port in enumerate(ports)]

    assert [answer.json()["model"] for answer in failing] == [f"openai/{SECOND}"] * 2
    with redis_of_its_own.client() as client:
        assert sits_out_s - 5 <= client.ttl(f"plano:cooldown:openai/{FIRST}") <= sits_out_s


def test_a_failing_model_sits_out_for_sessions_and_replicas_that_never_saw_it_fail(
    ports: tuple[int, int], provider: Provider, redis_of_its_own: RedisServer
) -> None:
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
    ports: tuple[int, int], provider: Provider
) -> None:

    provider.behave("close", model=FIRST)
    before = ask(ports[0], "s-1", DEEP, stream=True)
    provider.behave("half_stream", model=SECOND, times=1)
    after = ask(ports[0], "s-1", DEEP, stream=True)

    assert before.headers["x-plano-fallback"] == f"openai/{FIRST};unreachable"
    assert before.text.endswith("data: [DONE]\n\n")
    assert "x-plano-fallback" not in after.headers
    assert '"error"' in after.text.strip().splitlines()[-1]


def test_other_refusals_pass_through_and_move_nothing(ports: tuple[int, int], provider: Provider) -> None:
    ask(ports[0], "s", DEEP)

    provider.behave("status", code=400, model=FIRST, times=1)
    refused = ask(ports[0], "s", DEEP)
    after = ask(ports[0], "s", DEEP)

    assert (refused.status_code, refused.headers["x-plano-model"]) == (400, f"openai/{FIRST}")
    assert "x-plano-fallback" not in refused.headers
    assert (after.json()["model"], pinned(after)) == (f"openai/{FIRST}", True)


def test_when_all_fail_the_last_answer_passes_through(ports: tuple[int, int], provider: Provider) -> None:
    ask(ports[0], "s", DEEP)

    provider.behave("status", code=503, body={"error": {"message": "both"}})
    answer = ask(ports[0], "s", DEEP)

    assert (answer.status_code, answer.json()) == (503, {"error": {"message": "both"}})
    assert answer.headers["x-plano-model"] == f"openai/{SECOND}"
    assert answer.headers["x-plano-fallback"] == f"openai/{FIRST};503"


def test_after_its_time_one_request_tries_whether_it_is_well(
    ports: tuple[int, int], provider: Provider, redis_of_its_own: RedisServer
) -> None:
    """And while that one waits for its answer nobody else does."""
    provider.behave("status", code=503, headers={"Retry-After": "1"}, model=FIRST, times=2)
    for _ in range(2):
        ask(ports[0], None, DEEP)
    with redis_of_its_own.client() as client:
        wait_until(lambda: not client.exists(f"plano:cooldown:openai/{FIRST}"), what="the end of the cooldown")
    wait_until(lambda: _probed(ports[0], provider), what="the probe")

    provider.behave(None)
    wait_until(lambda: ask(ports[0], None, DEEP).json()["model"] == f"openai/{FIRST}", what="the recovery")


def forget(server: RedisServer) -> None:
    """No session is pinned, and no model has failed."""
    with server.client() as client:
        for kind in OF_A_TEST:
            for key in client.scan_iter(f"plano:{kind}:*"):
                client.delete(key)


def redis_pin(server: RedisServer, session: str) -> None:
    """A session that was pinned to the first model some time ago."""
    with server.client() as client:
        pin = {"model_name": f"openai/{FIRST}", "route_name": "deep_reasoning"}
        client.set(f"plano:affinity:{session}", json.dumps(pin), ex=60)


def well(port: int, server: RedisServer) -> bool:
    """Whether sessions, old and new, are on the first model."""
    redis_pin(server, old := uuid4().hex)
    answers = [ask(port, session, DEEP) for session in (old, uuid4().hex)]
    return all(answer.json()["model"] == f"openai/{FIRST}" for answer in answers)


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
