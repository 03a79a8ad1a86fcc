"""One soak: churn and faults for so long, and what every process held meanwhile."""

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.fakes.faults import KINDS
from tests.harness import wait_until
from tests.system.attack.attacker import HUGE_MODEL
from tests.system.attack.run import attackers
from tests.system.load.record import Plan, Turn
from tests.system.load.run import GIVE_UP_S, Serving, asked, plan_of, serving
from tests.system.load.scenarios import Scenario

SESSIONS, TURNS, ROUNDS = 24, 3, 4
SPARE = 6
"""How many descriptors more than at the start are no leak: timers, a connection just being made."""
_LISTENER_S, _SEND_S, _TTL_S = 3, 5, 60
_SAMPLE_EVERY_S = 2.0
_WINDOW_S = 30.0
"""The least of so many seconds counts: what is held for good, and not only while large answers are under way."""
_WARM_UP_SHARE = 0.4
"""So much of the time memory may still grow: caches fill, and the allocator finds its size."""
_QUIET_WITHIN_S = 30.0
_SCENARIO = Scenario(name="soak", web="two replicas", sessions=SESSIONS, turns=TURNS, rounds=ROUNDS)
_CONFIG = {
    "listeners": [{"type": "model", "name": "egress", "timeout": f"{_LISTENER_S}s"}],
    "routing": {"session_ttl_seconds": _TTL_S},
    "limits": {"send_timeout": f"{_SEND_S}s"},
}


@dataclass
class Held:
    """What a process held, sample by sample."""

    name: str
    process: psutil.Process
    before: int
    """How many descriptors it had at the start."""
    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    @property
    def slope_mb_an_hour(self) -> float:
        """How fast its memory grew after the warm-up: the line of least squares through the least of each window.

        0 when there are fewer than three of them, which tell nothing.
        """
        least: dict[float, float] = {}
        for at_s, rss_mb in zip(self.at_s, self.rss_mb, strict=True):
            window = at_s // _WINDOW_S * _WINDOW_S
            least[window] = min(rss_mb, least.get(window, rss_mb))
        if len(least) < 3:
            return 0.0
        return statistics.linear_regression(list(least), list(least.values())).slope * 3600


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it."""

    turns: int
    outcomes: Counter[str]
    """How many turns were answered, hung, and so on."""
    slopes_mb_an_hour: dict[str, float]
    faults: list[str]
    """What was held in the end and not at the start, and keys that never expire."""


def run(folder: Path, seconds: float) -> Report:
    """Serve for so long; `folder` keeps the logs."""
    with serving(_SCENARIO, folder, models=(HUGE_MODEL,), config=_CONFIG) as served:
        asked(_plan(served, "warm-up"))
        held = [Held(f"{each.name()} {each.pid}", each, _own(each, served)) for each in served.processes()]
        clients = _connections(served)
        over = threading.Event()
        samples = threading.Thread(target=_sample, args=(held, over, seconds * _WARM_UP_SHARE))
        samples.start()
        try:
            with attackers(("slow_readers", "aborted_bodies"), folder, served.ports):
                turns = _churn(served, time.monotonic() + seconds)
        finally:
            over.set()
            samples.join()
        served.provider.behave(None)
        faults = _left(served, held, clients)
    return Report(
        turns=len(turns),
        outcomes=_outcomes(turns),
        slopes_mb_an_hour={each.name: each.slope_mb_an_hour for each in held},
        faults=faults,
    )


def _churn(served: Serving, until: float) -> list[Turn]:
    """New sessions all the time, while the provider misbehaves in one way after the other."""
    turns: list[Turn] = []
    served.provider.behave("big_line", model=HUGE_MODEL.partition("/")[2])
    for n, kind in enumerate(itertools.cycle(sorted(KINDS))):
        if time.monotonic() >= until:
            return turns
        served.provider.behave(kind, times=SESSIONS)
        turns += asked(_plan(served, str(n)))
        served.provider.release()
    raise AssertionError


def _plan(served: Serving, part: str) -> Plan:
    return plan_of(_SCENARIO, served.ports, part, GIVE_UP_S + _LISTENER_S)


def _sample(held: Sequence[Held], over: threading.Event, warm_up_s: float) -> None:
    began = time.monotonic()
    while not over.wait(_SAMPLE_EVERY_S):
        passed = time.monotonic() - began
        if passed < warm_up_s:
            continue
        for each in held:
            each.at_s.append(passed)
            each.rss_mb.append(each.process.memory_info().rss / 1e6)


def _left(served: Serving, held: Sequence[Held], clients: int) -> list[str]:
    """What is still held too much once all have had the time to let go."""

    def found() -> list[str]:
        more = [
            f"{each.name} holds {_own(each.process, served)} descriptors, {each.before} at the start"
            for each in held
            if _own(each.process, served) > each.before + SPARE
        ]
        if _connections(served) > clients + SPARE:
            more.append(f"Redis has {_connections(served)} clients, {clients} at the start")
        with served.redis.client() as client:
            more += [f"{key!r} never expires" for key in client.scan_iter("plano:*") if client.ttl(key) == -1]
        return more

    try:
        wait_until(lambda: not found(), within_s=_QUIET_WITHIN_S)
    except AssertionError:
        return found()
    return []


def _own(process: psutil.Process, served: Serving) -> int:
    """Its descriptors, but for connections that it keeps for its next request to a model or to the router."""
    outside = {served.provider.port, served.router.port}
    kept = [end for end in process.net_connections("tcp") if getattr(end.raddr, "port", None) in outside]
    return process.num_fds() - len(kept)


def _connections(served: Serving) -> int:
    with served.redis.client() as client:
        return len(client.client_list())


def _outcomes(turns: Sequence[Turn]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for turn in turns:
        counts["hung"] += turn.hung
        counts["pinned"] += turn.pinned
        counts["degraded"] += bool(turn.degraded)
        counts["answered"] += bool(turn.model)
        counts["500"] += turn.fault.startswith("500 ") and "internal_error" in turn.fault
    return counts
