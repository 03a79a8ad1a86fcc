"""Redis is away in every way there is: nobody waits for it, everybody is served, and pins are found again."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest
import redis
import requests

from tests.fakes.delay import SlowProxy
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, wait_until
from tests.system.asking import DEEP, ask, pinned

pytestmark = pytest.mark.alone
FIRST, OWN = "openai/gpt-5.2", "openai/gpt-4o-mini"
WAIT_S = 0.3
ELSE_S = 0.7
"""What a request may take besides, on a machine that runs all of this at once; the bench has the real figure."""
BACK_S = 2.0
"""Within which a Redis that is back is used again there; usually it takes a quarter of a second."""
CONNECTIONS = 8
"""The most that a web process may have."""

Cure = Callable[[], None]


@pytest.fixture
def slow(redis_of_its_own: RedisServer) -> Iterator[SlowProxy]:
    """Redis behind a proxy that can be made slow."""
    proxy = SlowProxy(redis_of_its_own.socket)
    yield proxy
    proxy.close()


@pytest.fixture
def distant(slow: SlowProxy, start: Callable[..., Pool], ports: tuple[int, int]) -> tuple[int, Process]:
    """The port of a web process that reaches Redis by the proxy, and the process; the session `s` is pinned."""
    pool = start(env={"REDIS_URL": f"redis://127.0.0.1:{slow.port}"}, budget_ms=5000)
    _, (web,) = pool.serve(ports[0])
    first = ask(ports[0], "s", DEEP)
    assert first.json()["model"] == FIRST
    return ports[0], web


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
    _, (web,) = pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    cure = fault(redis_of_its_own)
    sessions = ["s", *(f"s-{n}" for n in range(35))]
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda session: ask(ports[0], session, DEEP), sessions))
    later = [ask(ports[0], "s", DEEP) for _ in range(11)]
    changes = _changes(web)
    cure()
    back = _once_back(ports[0], "back")

    assert {(each.status_code, each.headers.get("x-plano-degraded")) for each in answers + later} == {(200, "redis")}
    assert {each.json()["model"] for each in answers + later} == {OWN}
    assert max(map(_took_s, answers)) < WAIT_S + ELSE_S
    assert median(map(_took_s, later)) < WAIT_S - 0.05  # it is waited for once
    assert changes == ["redis is away"]
    assert _changes(web) == ["redis is away", "redis is back"]
    assert back.json()["model"] == FIRST


@pytest.mark.parametrize("fault", [refused, frozen], ids=lambda fault: fault.__name__)
def test_a_decision_under_way_is_not_waited_for(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    redis_of_its_own: RedisServer,
    router: Router,
    fault: Callable[[RedisServer], Cure],
) -> None:
    """What the worker finds out could not be heard; the budget would last for 10 s more."""
    pool = start(budget_ms=10_000)
    worker, _ = pool.serve(ports[0])
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
    back = _once_back(ports[0], "back")

    assert {(answer.status_code, answer.json()["model"]) for answer in answers} == {(200, OWN)}
    assert {answer.headers["x-plano-degraded"] for answer in answers} <= {"queue", "redis"}  # of which it hears first
    assert took_s < WAIT_S + ELSE_S
    assert back.json()["model"] == FIRST
    assert "Traceback" not in worker.text()


def test_a_process_has_connected_before_it_serves(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """Connecting over TLS, and afar, takes several answers, and no request is to wait for them."""
    pool = start(budget_ms=100)
    pool.web(ports[0])
    with redis_of_its_own.client() as client:
        made = client.info("stats")["total_connections_received"]

        answer = ask(ports[0], "s", DEEP)

        assert answer.headers["x-plano-degraded"] in {"router", "queue"}  # no worker was there
        assert client.info("stats")["total_connections_received"] - made <= 1  # the detector's own
        assert len(client.client_list()) - 1 <= CONNECTIONS


@pytest.mark.parametrize("away", ["pins", "queue"])
def test_pins_and_queue_may_have_a_redis_each_and_either_may_be_away(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer, tmp_path: Path, away: str
) -> None:
    """Pinned sessions need no queue; and a process has no more connections than with one Redis."""
    folder = tmp_path / "queue"
    folder.mkdir()
    of_queue = RedisServer(folder).start()
    pool = start(env={"QUEUE_REDIS_URL": of_queue.url})
    web = pool.web(ports[0])
    connections = sum(len(server.client().client_list()) - 1 for server in (redis_of_its_own, of_queue))
    pool.worker()
    ask(ports[0], "s", DEEP)
    server, part = (redis_of_its_own, "redis") if away == "pins" else (of_queue, "queue")

    server.send(signal.SIGSTOP)
    old, new = ask(ports[0], "s", DEEP), ask(ports[0], "new", DEEP)
    server.send(signal.SIGCONT)
    back = _once_back(ports[0], "new")
    changes = wait_until(lambda: _changes(web)[1:] and _changes(web), within_s=BACK_S, what="the queue's recovery")
    of_queue.stop()

    assert connections <= CONNECTIONS
    assert old.headers.get("x-plano-degraded") == ("redis" if away == "pins" else None)
    assert new.headers["x-plano-degraded"] == part
    assert back.json()["model"] == FIRST
    assert changes == [f"redis of the {away} is away", f"redis of the {away} is back"]


def test_a_redis_that_is_slow_is_only_slow(slow: SlowProxy, distant: tuple[int, Process]) -> None:
    """Before, from 13 ms on no new session was routed."""
    port, web = distant
    with ThreadPoolExecutor(20) as clients:
        for delay_ms in (5, 20, 50, 100):
            slow.delay = delay_ms / 1000
            sessions = [f"{delay_ms}-{n}" for n in range(20)]

            first = list(clients.map(lambda session: ask(port, session, DEEP), sessions))
            ready = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
            later = list(clients.map(lambda session: ask(port, session, DEEP), sessions))

            assert {answer.headers.get("x-plano-degraded") for answer in first + later} == {None}, delay_ms
            assert [(answer.json()["model"], pinned(answer)) for answer in first] == [(FIRST, False)] * 20, delay_ms
            assert [(answer.json()["model"], pinned(answer)) for answer in later] == [(FIRST, True)] * 20, delay_ms
            assert ready.status_code == 200, delay_ms
    assert _changes(web) == []


def test_nobody_notices_that_redis_was_frozen_for_150_ms(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """It wrote a snapshot, or its machine was moved."""
    pool = start(budget_ms=5000)
    _, (web,) = pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    answers = []
    with redis_of_its_own.client() as client, ThreadPoolExecutor(12) as clients:
        for n in range(3):
            sessions = ["s"] * 4 + [f"s-{n}-{m}" for m in range(8)]
            asked = [clients.submit(ask, ports[0], session, DEEP) for session in sessions]
            client.execute_command("DEBUG", "SLEEP", "0.15")
            answers += [each.result() for each in asked]

    assert {answer.json()["model"] for answer in answers} == {FIRST}
    assert not any("x-plano-degraded" in answer.headers for answer in answers)
    assert _changes(web) == []


def test_a_redis_that_takes_longer_than_it_may_be_silent_is_away(
    slow: SlowProxy, distant: tuple[int, Process]
) -> None:
    port, _ = distant
    slow.delay = 1.0
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda _: ask(port, "s", DEEP), range(36)))
    slow.delay = 0.0
    back = _once_back(port, "s")

    assert {(answer.status_code, answer.headers.get("x-plano-degraded")) for answer in answers} == {(200, "redis")}
    assert max(map(_took_s, answers)) < WAIT_S + ELSE_S
    assert (back.json()["model"], pinned(back)) == (FIRST, True)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_redis_that_refuses_writes_still_keeps_pinned_sessions(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer, fault: str
) -> None:
    pool = start()
    _, (web,) = pool.serve(ports[0])
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
    assert set(_changes(web)) <= {"redis refuses writes", "redis takes writes again"}
    assert _changes(web).count("redis refuses writes") == 1


def test_dropped_connections_cost_nobody_the_pin(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start()
    pool.serve(ports[0])
    ask(ports[0], "s", DEEP)

    answers = []
    with redis_of_its_own.client() as client:
        for _ in range(5):
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_kill_filter(_type="pubsub", skipme=True)
            answers.append(ask(ports[0], "s", DEEP))
    new = _once_back(ports[0], "new")

    assert [(answer.json()["model"], pinned(answer)) for answer in answers] == [(FIRST, True)] * 5
    assert new.json()["model"] == FIRST


def test_an_operator_may_reject_instead(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start(routing="on_outage: reject")
    pool.serve(ports[0])

    redis_of_its_own.send(signal.SIGSTOP)
    rejected = ask(ports[0], "s", DEEP)
    redis_of_its_own.send(signal.SIGCONT)

    assert rejected.status_code == 503
    assert int(rejected.headers["Retry-After"]) > 0
    assert rejected.json()["error"]["type"] == "unavailable"


def _took_s(answer: requests.Response) -> float:
    return answer.elapsed.total_seconds()


def _changes(web: Process) -> list[str]:
    """What the log says of the state of Redis."""
    lines = web.text().splitlines()
    return [line.partition("plano.redis: ")[2].partition(":")[0] for line in lines if "plano.redis: redis" in line]


def _once_back(port: int, session: str) -> requests.Response:
    """The first answer for which nothing was away."""

    def whole() -> list[requests.Response]:
        answer = ask(port, session, DEEP)
        return [] if "x-plano-degraded" in answer.headers else [answer]

    begin = time.monotonic()
    answers: list[requests.Response] = wait_until(whole, within_s=BACK_S, what="the recovery")
    assert time.monotonic() - begin < BACK_S + ELSE_S
    return answers[0]
