"""Why a session is where it is: each change of its model has its event, whatever is killed, and nothing else has."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import redis
import requests

from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP, QUICK, ask

FIRST, SECOND = "openai/gpt-5.2", "openai/gpt-4o-mini"
BOUND = [
    {"role": "user", "content": DEEP},
    {"role": "assistant", "content": "so", "extra_content": {"google": {"thought_signature": "s"}}},
    {"role": "user", "content": DEEP},
]
"""A conversation that holds reasoning of the model that answered before."""
SECONDS = 15
"""Within which what has happened is written and looked at, which takes three; the machine may be busy."""

Event = list[Any]


@contextmanager
def looking(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


def events(server: RedisServer, session: str) -> list[Event]:
    """The events of a session as they stand in Redis: time, what, to, from, why."""
    with looking(server) as client:
        return sorted(json.loads(line) for line in client.lrange(f"plano:events:{session}", 0, -1))


def told(server: RedisServer, session: str) -> list[Event]:
    """What the events say, without their times, replicas and figures."""
    return [[*event[1:], None, "", ""][:4] for event in events(server, session)]


def record(server: RedisServer, session: str) -> dict[str, str]:
    with looking(server) as client:
        held: dict[bytes, bytes] = client.hgetall(f"plano:session:{session}")  # type: ignore[assignment]
    return {name.decode(): value.decode() for name, value in held.items()}


def turns(server: RedisServer, session: str, count: int) -> bool:
    return record(server, session).get("turns") == str(count)


def counted(port: int, name: str) -> float:
    """The value of a counter without labels."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def settled(condition: Callable[[], object], what: str) -> None:
    wait_until(lambda: bool(condition()), within_s=SECONDS, what=what)


def test_a_timeline_says_why_each_model_served(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
) -> None:
    """Decided, moved without reasoning that the other model cannot read, and decided anew as the client asked.

    On two replicas, in one timeline.
    """
    start(routing="redecide: when_cold").serve(*ports)
    first, second = ports
    assert ask(first, "s", DEEP).json()["model"] == FIRST
    ask(second, "s", DEEP)
    settled(lambda: turns(redis_of_its_own, "s", 2), "two turns")

    provider.behave("status", code=503, model="gpt-5.2")
    assert ask(second, "s", messages=BOUND).headers["x-plano-dropped"] == "reasoning"
    provider.behave(None)
    settled(lambda: turns(redis_of_its_own, "s", 3), "a third turn")
    anew = {"X-Model-Affinity": "s", "X-Plano-Affinity": "new"}
    messages = {"messages": [{"role": "user", "content": DEEP}]}
    requests.post(f"http://127.0.0.1:{first}/v1/chat/completions", json=messages, headers=anew, timeout=30)
    settled(lambda: turns(redis_of_its_own, "s", 4), "a fourth turn")

    decided, moved, redecided = events(redis_of_its_own, "s")
    assert decided[1:4] == ["decided", FIRST, None]
    assert (decided[5], set(decided[8])) == ("deep_reasoning", {"router_ms", "rank.1", "rank.2"})
    assert moved[1:5] == ["moved", SECOND, FIRST, "503"]
    assert moved[8] == {"dropped": "reasoning"}
    assert redecided[1:5] == ["redecided", FIRST, SECOND, "asked"]
    assert decided[6] == redecided[6] != moved[6]
    assert record(redis_of_its_own, "s").items() >= {"model": FIRST, "moves": "2", "client": "127.0.0.1"}.items()
    assert [counted(port, "plano_unexplained_switch_total") for port in ports] == [0, 0]


def test_a_decision_alone_and_a_router_that_is_away_are_recorded(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router, redis_of_its_own: RedisServer
) -> None:
    start().serve(ports[0])
    body = {"messages": [{"role": "user", "content": DEEP}]}
    url = f"http://127.0.0.1:{ports[0]}/routing/v1/chat/completions"
    requests.post(url, json=body, headers={"X-Model-Affinity": "alone"}, timeout=30)
    router.behave("status", code=500)
    ask(ports[0], "away", DEEP)
    router.behave(None)
    settled(lambda: turns(redis_of_its_own, "away", 1), "a degraded turn")
    ask(ports[0], "away", DEEP)
    settled(lambda: turns(redis_of_its_own, "away", 2), "another one")

    assert told(redis_of_its_own, "alone") == [["decided", FIRST, None, ""]]
    assert record(redis_of_its_own, "alone")["turns"] == "1"
    assert told(redis_of_its_own, "away") == [["degraded", SECOND, None, "router"], ["decided", FIRST, None, ""]]

    def sums() -> list[int]:
        """They are written by themselves, not with the records."""
        with looking(redis_of_its_own) as client:
            minutes = [client.hgetall(key) for key in client.scan_iter("plano:stats:*")]
        return [sum(int(minute.get(name, 0)) for minute in minutes) for name in (b"requests", b"degraded")]

    settled(lambda: sums()[0] >= 3, "three requests in the minutes' sums")
    assert sums() == [3, 1]


def test_a_replica_that_ends_as_it_should_loses_nothing(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    _, (web,) = start().serve(ports[0])
    for n in range(5):
        ask(ports[0], f"s{n}", QUICK)

    web.stop()

    assert [record(redis_of_its_own, f"s{n}").get("turns") for n in range(5)] == ["1"] * 5


@pytest.mark.parametrize("on_failure", ["move", "borrow"])
def test_a_replica_that_is_killed_takes_no_explanation_with_it(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    provider: Provider,
    redis_of_its_own: RedisServer,
    on_failure: str,
) -> None:
    """It dies within the second in which it would have written; what the pin says is enough for the others."""
    pool = start(routing=f"on_failure: {on_failure}")
    _, (doomed, _) = pool.serve(*ports)
    ask(ports[1], "old", DEEP)
    settled(lambda: told(redis_of_its_own, "old"), "the first event")

    provider.behave("status", code=503, model="gpt-5.2")
    ask(ports[0], "new", QUICK)
    assert ask(ports[0], "old", DEEP).json()["model"] == SECOND
    serving = [child.pid for child in psutil.Process(doomed.pid).children()]
    for pid in (*serving, doomed.pid):
        os.kill(pid, signal.SIGKILL)
    provider.behave(None)
    later = [ask(ports[1], session, QUICK).json()["model"] for session in ("old", "new")]

    assert later == [SECOND if on_failure == "move" else FIRST, SECOND]
    expected = [["decided", FIRST, None, ""]] + [["moved", SECOND, FIRST, "503"]] * (on_failure == "move")
    settled(
        lambda: [event for event in told(redis_of_its_own, "old") if event[0] != "borrowed"] == expected, "a move"
    )
    settled(lambda: [event[1] for event in told(redis_of_its_own, "new")] == [SECOND], "what the other one was given")
    assert counted(ports[1], "plano_unexplained_switch_total") == 0


def test_a_switch_that_nothing_explains_is_counted_and_logged(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """Somebody writes another pin past the pool."""
    pool = start()
    pool.serve(*ports)
    ask(ports[0], "s", DEEP)
    settled(lambda: told(redis_of_its_own, "s"), "its first event")

    with looking(redis_of_its_own) as client:
        client.set("plano:affinity:s", json.dumps({"model_name": SECOND, "route_name": None}), ex=60)
    assert ask(ports[1], "s", DEEP).json()["model"] == SECOND
    ask(ports[1], "s", DEEP)

    settled(lambda: counted(ports[1], "plano_unexplained_switch_total") == 1, "the count")
    (line,) = [line for each in pool.processes for line in each.text().splitlines() if "unexplained switch" in line]
    assert f"session=s tenant=- from={FIRST} to={SECOND}" in line


def test_without_a_time_to_keep_them_there_are_no_records(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    start(routing="record_ttl_seconds: 0").serve(ports[0])
    ask(ports[0], "s", DEEP)

    def sums() -> list[bytes]:
        with looking(redis_of_its_own) as client:
            return list(client.scan_iter("plano:stats:*"))

    settled(sums, "the sums of a minute")
    with looking(redis_of_its_own) as client:
        assert not client.exists("plano:session:s", "plano:events:s", "plano:top:last_use")
