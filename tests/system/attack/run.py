"""One run: 64 agents without the attack, and then beside it."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.harness import Process
from tests.system.attack.attacker import HUGE_MODEL
from tests.system.load.counts import Counts, count
from tests.system.load.record import Turn
from tests.system.load.run import Serving, asked, plan_of, serving
from tests.system.load.scenarios import Scenario

AGENTS, TURNS = 64, 20
_LOOK_EVERY_S = 0.2
_HEALTH_GIVES_UP_S = 10.0
_GREEDY_BEFORE_S = 2.0
"""The attack has begun, and holds what it can, before the agents begin."""


@dataclass
class Seen:
    """What was seen of the web processes meanwhile."""

    health_s: list[float] = field(default_factory=list)
    """How long each `GET /livez` took, to the replicas in turn, on a new connection each."""
    memory_bytes: int = 0
    """The most that one process had."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The agents' turns without and beside the attack, and the web processes during it."""

    before: Counts
    beside: Counts
    turns: Sequence[Turn]
    health_max_s: float
    memory_mb: float

    @property
    def p99_ratio(self) -> float:
        """By how much the agents' slowest turns became slower."""
        return self.beside.p99_ms / self.before.p99_ms


def run(attacks: Sequence[str], folder: Path) -> Report:
    """All of these attacks at once; `folder` keeps the logs."""
    scenario = Scenario(name="attack", web="two replicas", sessions=AGENTS, turns=TURNS)
    with serving(scenario, folder, models=(HUGE_MODEL,)) as served:
        served.provider.behave("big_line", model=HUGE_MODEL.partition("/")[2])
        asked(plan_of(scenario, served.ports, "warm-up"))
        before = asked(plan_of(scenario, served.ports, "before"))
        with attackers(attacks, folder, served.ports), _watched(served) as seen:
            time.sleep(_GREEDY_BEFORE_S)
            beside = asked(plan_of(scenario, served.ports, "beside"))
    return Report(
        before=count(before),
        beside=count(beside),
        turns=[*before, *beside],
        health_max_s=max(seen.health_s),
        memory_mb=seen.memory_bytes / 1e6,
    )


@contextmanager
def attackers(attacks: Sequence[str], folder: Path, ports: list[int]) -> Iterator[None]:
    """Attack these ports, each attack from a process of its own, until the context ends."""
    with ExitStack() as stack:
        for name in attacks:
            command = ["python", "-m", "tests.system.attack.attacker", name, *map(str, ports)]
            attacker = Process(command, folder / f"{name}.log", os.environ)
            stack.callback(attacker.stop, signal.SIGKILL)
        yield


@contextmanager
def _watched(served: Serving) -> Iterator[Seen]:
    """Look at health and memory all the while."""
    seen, over = Seen(), threading.Event()
    watches = [threading.Thread(target=_ask_health, args=(port, seen, over)) for port in served.ports]
    watches.append(threading.Thread(target=_weigh, args=(served, seen, over)))
    for each in watches:
        each.start()
    try:
        yield seen
    finally:
        over.set()
        for each in watches:
            each.join()


def _ask_health(port: int, seen: Seen, over: threading.Event) -> None:
    while not over.wait(_LOOK_EVERY_S):
        began = time.monotonic()
        try:
            requests.get(f"http://127.0.0.1:{port}/livez", timeout=_HEALTH_GIVES_UP_S).raise_for_status()
        except requests.RequestException:
            seen.health_s.append(_HEALTH_GIVES_UP_S)
        else:
            seen.health_s.append(time.monotonic() - began)


def _weigh(served: Serving, seen: Seen, over: threading.Event) -> None:
    processes = served.processes()
    while not over.wait(_LOOK_EVERY_S):
        seen.memory_bytes = max(seen.memory_bytes, *(process.memory_info().rss for process in processes))
