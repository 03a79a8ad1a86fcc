"""The Procfile as hosts run it, by honcho, three web replicas of it behind each balancer."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import ROOT, STARTS_WITHIN_S, Process, RedisServer, wait_until
from tests.system.asking import DEEP, QUICK, ask, chat, decisions, pinned, ready
from tests.system.balancers import balancer, deals_to
from tests.system.conftest import config_text

HONCHO = str(Path(sys.executable).with_name("honcho"))
REPLICAS = 3


class Hosts:
    """Machines that run processes of the Procfile: honcho ends all of a machine's with the first that ends."""

    def __init__(self, folder: Path, redis_url: str, config: str) -> None:
        self._folder = folder
        self._config = folder / "config.yaml"
        self._config.write_text(config)
        self._env = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": redis_url,
            "PLANO_CONFIG": str(self._config),
            "GRACEFUL_TIMEOUT": "4",  # honcho kills after 5 s
        }
        self.ports = [free_port() for _ in range(REPLICAS)]
        self._web: dict[int, Process] = {}
        self._started: list[Process] = []

    def start(self) -> None:
        """Three replicas, two workers and the clock."""
        for port in self.ports:
            self._web[port] = self.run("web", PORT=str(port))
        rest = self.run("worker", "clock", concurrency="worker=2,clock=1")
        wait_until(lambda: rest.text().count("worker started") == 2, within_s=STARTS_WITHIN_S, what="the workers")
        wait_until(lambda: all(map(ready, self.ports)), within_s=STARTS_WITHIN_S, what="the replicas")

    def run(self, *names: str, concurrency: str = "", **env: str) -> Process:
        """A machine that runs these processes of the Procfile; no .env of this checkout counts."""
        log = self._folder / f"{names[0]}-{len(self._started)}.log"
        counted = ["--concurrency", concurrency] if concurrency else []
        command = [HONCHO, "start", "--env", str(self._folder / "none.env"), *counted, *names]
        self._started.append(Process(command, log, {**self._env, **env}))
        return self._started[-1]

    def kill(self, port: int) -> None:
        """A replica is gone at once, with all its processes."""
        for process in psutil.Process(self._web[port].pid).children(recursive=True):
            if "web.wsgi:app" in " ".join(process.cmdline()):
                process.kill()

    def revive(self, port: int) -> None:
        """The replica is back."""
        wait_until(lambda: not self._web[port].alive, what="the end of its machine")
        self._web[port] = self.run("web", PORT=str(port))
        wait_until(lambda: ready(port), within_s=STARTS_WITHIN_S, what="the replica")

    def stop(self) -> None:
        """End all of it."""
        for process in self._started:
            if process.alive:
                process.send(signal.SIGTERM)
        for process in self._started:
            process.stop()


@pytest.fixture(scope="module")
def outside() -> Iterator[tuple[Provider, Router]]:
    """The stand-ins; they last as long as the pool."""
    with Provider() as provider, Router() as router:
        yield provider, router


@pytest.fixture
def provider(outside: tuple[Provider, Router]) -> Iterator[Provider]:
    """The stand-in provider, in good order again afterwards."""
    stand_in = outside[0]
    yield stand_in
    stand_in.pause = stand_in.delay = 0


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The pool's Redis."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, outside: tuple[Provider, Router]
) -> Iterator[Hosts]:
    """The pool, on four machines."""
    provider, router = outside
    config = config_text(provider, router, budget_ms=5000)
    made = Hosts(tmp_path_factory.mktemp("pool"), redis_server.url, config)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def balancing(
    balancer_name: str, tmp_path_factory: pytest.TempPathFactory, hosts: Hosts
) -> Iterator[tuple[int, Process]]:
    """The port of a balancer and its process, once it deals requests out to every replica."""
    with balancer(balancer_name, tmp_path_factory.mktemp("front"), hosts.ports) as made:
        yield made


@pytest.fixture
def front(balancing: tuple[int, Process]) -> int:
    """The balancer's port."""
    return balancing[0]


def test_a_session_keeps_its_model_whichever_replica_it_meets(
    front: int, hosts: Hosts, outside: tuple[Provider, Router]
) -> None:
    sessions = [f"held-{front}-{n}" for n in range(4)]
    asked_before, met_before = outside[1].calls, [decisions(port) for port in hosts.ports]

    first = {session: ask(front, session, DEEP if n % 2 else QUICK) for n, session in enumerate(sessions)}
    later = [(session, ask(front, session, text)) for session in sessions for text in (QUICK, DEEP, QUICK)]

    assert [answer.json()["model"] for answer in first.values()] == ["openai/gpt-4o-mini", "openai/gpt-5.2"] * 2
    assert all(answer.json()["model"] == first[session].json()["model"] for session, answer in later)
    assert not any(pinned(answer) for answer in first.values())
    assert all(pinned(answer) for _, answer in later)
    assert outside[1].calls - asked_before == len(sessions)
    assert all(decisions(port) > before for port, before in zip(hosts.ports, met_before, strict=True))


def test_a_stream_arrives_while_it_is_being_written(front: int, provider: Provider) -> None:
    """The first event is here while the provider still has most of them to send."""
    provider.pause = 0.3
    body = {"model": "openai/gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": QUICK}]}

    with requests.post(chat(front), json=body, stream=True, timeout=30) as answer:
        events = (line for line in answer.iter_lines() if line.startswith(b"data: "))
        first = next(events)
        still_writing = provider.open
        rest = list(events)

    assert answer.status_code == 200
    assert still_writing == 1
    assert b'"role":"assistant"' in first
    assert len(rest) > 5
    assert rest[-1] == b"data: [DONE]"


def test_a_client_that_leaves_ends_the_stream_at_the_provider(front: int, provider: Provider) -> None:
    provider.pause = 1
    before = provider.left
    body = {"model": "openai/gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": QUICK * 50}]}

    with requests.post(chat(front), json=body, stream=True, timeout=30) as answer:
        next(answer.iter_content(16))

    wait_until(lambda: provider.left == before + 1, what="the end of the request at the provider")


def test_a_long_conversation_passes(front: int) -> None:
    """nginx by itself stops at 1 MiB."""
    answer = ask(front, text=QUICK + " " * 3_000_000)

    assert answer.status_code == 200


@pytest.mark.parametrize("size", [100, 40_000])
def test_a_replica_that_is_killed_costs_no_request_that_was_not_answered_yet(
    front: int, hosts: Hosts, provider: Provider, size: int
) -> None:
    """Six sessions ask without a break; a replica dies under the requests that it holds."""
    sessions = {f"kill-{front}-{size}-{n}": (DEEP if n % 2 else QUICK) for n in range(6)}
    models = {session: ask(front, session, text).json()["model"] for session, text in sessions.items()}
    provider.delay = 0.1

    clients = _Clients(front, models, " " * size)
    with clients:
        wait_until(lambda: clients.least >= 3, within_s=30, what="answers before the kill")
        hosts.kill(hosts.ports[0])
        enough = clients.least + 8
        wait_until(lambda: clients.faults or clients.least >= enough, within_s=30, what="answers after the kill")
    provider.delay = 0
    hosts.revive(hosts.ports[0])

    assert clients.faults == []


def test_without_redis_a_balancer_still_has_replicas(
    balancing: tuple[int, Process], balancer_name: str, hosts: Hosts, redis_server: RedisServer
) -> None:
    """None of them is ready then; each of them serves."""
    port, process = balancing
    checks = balancer_name != "nginx"

    def dealt_to() -> list[bool]:
        return [ready(at) or (checks and deals_to(process, nth)) for nth, at in enumerate(hosts.ports)]

    redis_server.send(signal.SIGSTOP)
    try:
        wait_until(lambda: not any(dealt_to()), within_s=20, what="the balancer's verdict")
        without = [ask(port, "no-redis") for _ in range(6)]
    finally:
        redis_server.send(signal.SIGCONT)
    wait_until(lambda: all(map(ready, hosts.ports)), within_s=20, what="the recovery")

    assert {(answer.status_code, answer.headers.get("x-plano-degraded")) for answer in without} == {(200, "redis")}


def test_a_host_decides_how_many_web_processes_a_replica_has(hosts: Hosts) -> None:
    port = free_port()
    replica = hosts.run("web", PORT=str(port), WEB_CONCURRENCY="3")
    wait_until(lambda: ready(port), within_s=STARTS_WITHIN_S, what="the replica")

    wait_until(lambda: len(_leaves(replica.pid)) == 3, what="three processes")
    replica.stop()


class _Clients:
    """One thread a session, asking again and again until told to stop; whatever is not as it was is a fault."""

    def __init__(self, port: int, models: dict[str, str], padding: str) -> None:
        self._port = port
        self._models = models
        self._padding = padding
        self._stop = threading.Event()
        self._answers = dict.fromkeys(models, 0)
        self._threads = [threading.Thread(target=self._ask, args=(session,)) for session in models]
        self.faults: list[Any] = []

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def least(self) -> int:
        """How many answers the session has that has fewest."""
        return min(self._answers.values())

    def _ask(self, session: str) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self._port, session, QUICK + self._padding)
            except requests.RequestException as fault:
                self.faults.append((session, fault))
            else:
                found = (answer.status_code, answer.headers.get("x-plano-model"), pinned(answer))
                if found != (200, self._models[session], True):
                    self.faults.append((session, found, answer.text))
            self._answers[session] += 1


def _leaves(root: int) -> list[psutil.Process]:
    """The processes that have no children of their own: what gunicorn has forked."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(root).children(recursive=True) if not child.children()]
    return []
