"""Redis is away in every way there is: nobody waits for it, everybody is served, and pins are found again."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests

from tests.fakes.delay import SlowProxy
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, wait_until
from tests.system.asking import DEEP, ask, pinned

FIRST, OWN = "openai/gpt-5.2", "openai/gpt-4o-mini"
WAIT_S = 0.3
ELSE_S = 0.4
"""What a request may take besides, on a machine that runs all of this at once; the bench has the real figure."""

Cure = Callable[[], None]


@pytest.fixture
def slow(redis_of_its_own: RedisServer) -> Iterator[SlowProxy]:
    """Redis behind a proxy that can be made slow."""
    proxy = SlowProxy(redis_of_its_own.socket)
    yield proxy
    proxy.close()


@pytest.fixture
def distant(slow: SlowProxy, start: Callable[..., Pool], ports: tuple[int, int]) -> int:
    """The port of a pool that reaches Redis by the proxy; the session `s` is pinned."""
    pool = start(env={"REDIS_URL": f"redis://127.0.0.1:{slow.port}"})
    pool.worker()
    pool.web(ports[0])
    first = ask(ports[0], "s", DEEP)
    assert first.json()["model"] == FIRST
    return ports[0]


def refused(server: RedisServer) -> Cure:
    """Nobody listens any more."""
    server.stop()

    def revive() -> None:
        server.start()

    return revive


def frozen(server: RedisServer) -> Cure:
    """It accepts and never answers."""
    server.send(signal.SIGSTOP)
    return lambda: server.send(signal.SIGCONT)


def locked(server: RedisServer) -> Cure:
    """It wants a password that the pool does not have."""
    with server.client() as client:
        client.config_set("requirepass", "secret")
        client.client_kill_filter(_type="normal", skipme=True)

    def unlock() -> None:
        with redis.Redis(unix_socket_path=str(server.socket), password="secret") as owner:
            owner.config_set("requirepass", "")

    return unlock


@pytest.mark.parametrize("fault", [refused, frozen, locked], ids=lambda fault: fault.__name__)
def test_everybody_is_served_at_once_and_the_change_is_logged_once(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    redis_of_its_own: RedisServer,
    fault: Callable[[RedisServer], Cure],
) -> None:
    pool = start()
    pool.worker()
    web = pool.web(ports[0])
    ask(ports[0], "s", DEEP)

    cure = fault(redis_of_its_own)
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda n: ask(ports[0], f"s-{n}", DEEP), range(36)))
    changes = _changes(web)
    cure()
    back = _once_back(ports[0], "back")

    assert {(answer.status_code, answer.headers.get("x-plano-degraded")) for answer in answers} == {(200, "redis")}
    assert {answer.json()["model"] for answer in answers} == {OWN}
    assert max(answer.elapsed.total_seconds() for answer in answers) < WAIT_S + ELSE_S
    assert changes == ["pins is away"]
    assert back.json()["model"] == FIRST


@pytest.mark.parametrize("fault", [refused, frozen], ids=lambda fault: fault.__name__)
def test_a_decision_under_way_is_not_waited_for(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    redis_of_its_own: RedisServer,
    router: Router,
    fault: Callable[[RedisServer], Cure],
) -> None:
    """What the worker finds out could not be heard; the budget would last for 20 s more."""
    pool = start(budget_ms=20_000)
    worker = pool.worker()
    pool.web(ports[0])
    router.behave("hang")

    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(ask, ports[0], f"s-{n}", DEEP) for n in range(4)]
        wait_until(lambda: router.hanging == 4, what="four decisions under way")
        cure = fault(redis_of_its_own)
        away_at = time.monotonic()
        answers = [each.result() for each in asked]
        took_s = time.monotonic() - away_at
    router.behave(None)
    wait_until(lambda: fault is frozen or "signed off" in worker.text(), what="the jobs' end")
    cure()
    back = _once_back(ports[0], "s-1")

    assert {(answer.status_code, answer.json()["model"]) for answer in answers} == {(200, OWN)}
    assert {answer.headers["x-plano-degraded"] for answer in answers} == {"queue"}
    assert took_s < WAIT_S + ELSE_S
    assert back.json()["model"] == FIRST
    assert "Traceback" not in worker.text()


def test_no_request_waits_for_a_connection(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """A process connects before it serves: connecting over TLS, and afar, takes several answers."""
    pool = start(budget_ms=100)
    pool.web(ports[0])
    with redis_of_its_own.client() as client:
        made = client.info("stats")["total_connections_received"]

        answer = ask(ports[0], "s", DEEP)

        assert answer.headers["x-plano-degraded"] == "router"  # it was queued, and no worker was there
        assert client.info("stats")["total_connections_received"] == made
        assert len(client.client_list()) == 3  # what is asked and what is heard, and this client


def test_a_redis_that_takes_its_time_still_has_sessions_routed(slow: SlowProxy, distant: int) -> None:
    slow.delay = 0.008
    answers = [ask(distant, f"s-{n}", DEEP) for n in range(4)]

    assert {answer.json()["model"] for answer in answers} == {FIRST}
    assert not any("x-plano-degraded" in answer.headers for answer in answers)


@pytest.mark.parametrize("delay_s", [0.02, 0.04, 0.1, 0.14])
def test_a_redis_that_answers_late_keeps_nobody_long(slow: SlowProxy, distant: int, delay_s: float) -> None:
    """A first request asks it ten times, its worker included; a pinned one asks once, and keeps its pin."""
    slow.delay = delay_s
    with ThreadPoolExecutor(4) as clients:
        pinned_ones = list(clients.map(lambda _: ask(distant, "s", DEEP), range(12)))
        first_ones = list(clients.map(lambda n: ask(distant, f"s-{n}", DEEP), range(12)))
    slow.delay = 0.0
    back = _once_back(distant, "late")

    assert {(answer.json()["model"], pinned(answer)) for answer in pinned_ones} == {(FIRST, True)}
    assert {answer.json()["model"] for answer in first_ones} == {OWN}
    assert {answer.headers["x-plano-degraded"] for answer in first_ones} <= {"redis", "queue"}
    assert max(answer.elapsed.total_seconds() for answer in pinned_ones + first_ones) < WAIT_S + ELSE_S
    assert back.json()["model"] == FIRST


def test_what_one_request_has_waited_is_not_the_next_ones(slow: SlowProxy, distant: int) -> None:
    """Though they come over the same connection."""
    slow.delay = 0.1
    with requests.Session() as kept:
        first, later = (ask(distant, session, DEEP, via=kept) for session in ("new", "s"))
    slow.delay = 0.0

    assert "x-plano-degraded" in first.headers
    assert (later.json()["model"], pinned(later)) == (FIRST, True)


def test_a_slow_redis_is_one_that_is_away(slow: SlowProxy, distant: int) -> None:
    slow.delay = 1.0
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda _: ask(distant, "s", DEEP), range(36)))
    slow.delay = 0.0
    back = _once_back(distant, "s")

    assert {(answer.status_code, answer.headers.get("x-plano-degraded")) for answer in answers} == {(200, "redis")}
    assert max(answer.elapsed.total_seconds() for answer in answers) < WAIT_S + ELSE_S
    assert (back.json()["model"], pinned(back)) == (FIRST, True)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_redis_that_refuses_writes_still_keeps_pinned_sessions(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer, fault: str
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    ask(ports[0], "old", DEEP)

    with redis_of_its_own.client() as client:
        if fault == "full":
            client.config_set("maxmemory", "1")
        else:
            client.replicaof("127.0.0.1", "1")
        old, new = ask(ports[0], "old", DEEP), ask(ports[0], "new", DEEP)
        if fault == "full":
            client.config_set("maxmemory", "0")
        else:
            client.replicaof("NO", "ONE")
    back = _once_back(ports[0], "new")

    assert (old.json()["model"], pinned(old)) == (FIRST, True)
    assert (new.status_code, new.json()["model"]) == (200, OWN)
    assert new.headers["x-plano-degraded"] in {"redis", "queue"}
    assert (back.json()["model"], pinned(back)) == (FIRST, False)


def test_dropped_connections_cost_nobody_the_pin(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start()
    pool.worker()
    pool.web(ports[0])
    ask(ports[0], "s", DEEP)

    answers = []
    with redis_of_its_own.client() as client:
        for _ in range(5):
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_kill_filter(_type="pubsub", skipme=True)
            answers.append(ask(ports[0], "s", DEEP))
    new = _once_back(ports[0], "new")

    assert all(answer.ok for answer in answers)
    assert {answer.json()["model"] for answer in answers if "x-plano-degraded" not in answer.headers} == {FIRST}
    assert new.json()["model"] == FIRST


def test_an_operator_may_reject_instead(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start(routing="on_outage: reject")
    pool.worker()
    pool.web(ports[0])

    redis_of_its_own.send(signal.SIGSTOP)
    rejected = ask(ports[0], "s", DEEP)
    redis_of_its_own.send(signal.SIGCONT)

    assert rejected.status_code == 503
    assert int(rejected.headers["Retry-After"]) > 0
    assert rejected.json()["error"]["type"] == "unavailable"


def _changes(web: Process) -> list[str]:
    """What the log says of the state of the pins' Redis."""
    lines = web.text().splitlines()
    return [line.partition("plano.redis: ")[2].partition(":")[0] for line in lines if "plano.redis: pins" in line]


def _once_back(port: int, session: str) -> requests.Response:
    """The first answer for which nothing was away."""

    def whole() -> list[requests.Response]:
        answer = ask(port, session, DEEP)
        return [] if "x-plano-degraded" in answer.headers else [answer]

    answers: list[requests.Response] = wait_until(whole, within_s=15, what="the recovery")
    return answers[0]
