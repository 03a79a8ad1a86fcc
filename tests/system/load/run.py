"""One run of a scenario: a pool of its own, the clients, and an end whatever happens."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import ROOT, Pool, Process, RedisServer, wait_until
from tests.system.asking import ready
from tests.system.balancers import balancer
from tests.system.load.client import OWN_MODELS
from tests.system.load.record import Plan, Turn
from tests.system.load.router import ROUTES, FickleRouter
from tests.system.load.scenarios import Scenario

DECISION_MS = 5000
GIVE_UP_S = DECISION_MS / 1000 + 0.5 + 2.0
"""The longest that a decision may take, what Redis may add to it, and what the provider may take when all ask it."""
ROUTER_S = 0.05
"""How long the router model takes: others have the time to ask the same meanwhile."""
_WAITING = 200
"""The decisions that a web process lets wait by default; a larger run is not to be refused by a limit."""
_BUSY_LOOPS = 2
_CLIENT_STARTS_S = 30


def run(scenario: Scenario, folder: Path) -> list[Turn]:
    """All turns; `folder` keeps the logs.

    It ends in time even when every request hangs, and leaves no process behind.
    """
    with ExitStack() as stack:
        ports = stack.enter_context(serving(scenario, folder)).ports
        if scenario.balancer:
            port, _ = stack.enter_context(balancer(scenario.balancer, folder, ports))
            ports = [port]
        if scenario.busy:
            for n in range(_BUSY_LOOPS):
                loop = Process(["python", "-m", "tests.system.load.busy"], folder / f"busy-{n}.log", os.environ)
                stack.callback(loop.stop, signal.SIGKILL)
        return asked(plan_of(scenario, ports))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Serving:
    """A pool that is ready: one Redis, one worker, and the web processes of the scenario."""

    ports: list[int]
    pool: Pool
    redis: RedisServer
    provider: Provider
    router: FickleRouter

    def processes(self) -> list[psutil.Process]:
        """Those that do the work: of a replica gunicorn's children."""
        started = [psutil.Process(each.pid) for each in self.pool.processes]
        return [process for each in started for process in each.children() or [each]]


def plan_of(scenario: Scenario, ports: list[int], part: str = "", give_up_s: float = GIVE_UP_S) -> Plan:
    """What clients do in the scenario, or in one part of it, which has sessions of its own."""
    return Plan(
        name=f"load-{scenario.name}-{part}" if part else f"load-{scenario.name}",
        ports=ports,
        sessions=scenario.sessions,
        at_once=scenario.at_once,
        turns=scenario.turns,
        rounds=scenario.rounds,
        give_up_s=give_up_s,
    )


def asked(plan: Plan) -> list[Turn]:
    """What the clients' process tells of the plan."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.load.client"],
        input=json.dumps(dataclasses.asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=plan.rounds * plan.turns * plan.give_up_s + _CLIENT_STARTS_S,
        check=True,
    )
    return [Turn(**json.loads(line)) for line in done.stdout.splitlines()]


@contextmanager
def serving(
    scenario: Scenario, folder: Path, *, models: Sequence[str] = (), config: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Serving]:
    """A pool for the scenario, whose provider has `models`, too; all of it ends with the context.

    What `config` has in a section of the config file is added there.
    """
    with ExitStack() as stack:
        redis = RedisServer(folder)
        stack.callback(redis.stop)
        redis.start()
        provider, router = stack.enter_context(Provider()), stack.enter_context(FickleRouter())
        router.delay = ROUTER_S
        sections = _config(scenario, provider, router, models)
        for name, section in config.items():
            sections[name] = {**sections[name], **section} if name in sections else section
        pool = Pool(folder, json.dumps(sections), redis.url, TMPDIR=str(folder))
        stack.callback(_kill, pool)
        ports = [free_port() for _ in range(2 if scenario.web == "two replicas" else 1)]
        pool.serve(*ports, WEB_CONCURRENCY="2" if scenario.web == "two processes" else "1")
        for port in ports:
            wait_until(partial(ready, port), what="a ready replica")
        yield Serving(ports=ports, pool=pool, redis=redis, provider=provider, router=router)


def _kill(pool: Pool) -> None:
    """End all processes at once: one that no longer answers may not end otherwise."""
    for process in pool.processes:
        if process.alive:
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.stop(signal.SIGKILL)


def _config(scenario: Scenario, provider: Provider, router: FickleRouter, models: Sequence[str]) -> dict[str, Any]:
    served = [*(f"openai/{name}" for name in (*OWN_MODELS, *(f"routed-{route}" for route in ROUTES))), *models]
    at = {"base_url": provider.url, "provider_interface": "openai"}
    routes = [{"name": name, "description": name, "models": [f"openai/routed-{name}"]} for name in ROUTES]
    waiting = max(_WAITING, scenario.sessions * scenario.at_once)
    return {
        "version": "v0.4.0",
        "model_providers": [{"model": name, "default": name == served[0], **at} for name in served],
        "routing_preferences": routes,
        "routing": {
            "session_ttl_seconds": 600,
            "decision_timeout_ms": DECISION_MS,
            "router": {"url": router.url, "model": "Arch-Router"},
        },
        "limits": {"sessions_per_minute": 1000000, "waiting_decisions": waiting},
    }
