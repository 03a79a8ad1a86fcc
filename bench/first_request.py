"""What the pool adds to a session's first request: `python -m bench.first_request`."""

import itertools
from collections.abc import Callable
from functools import partial

from bench import load, machine, report, stage
from bench.generator import Load
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port

QUESTION = "How much longer does the first request of a session take than the router model that decides it?"
ROUTER_MS = 100
CONNECTIONS = (1, 8)
_TARGET = {"added_p50_ms": "≤ 5", "added_p99_ms": "≤ 20"}
TARGETS = {f"first request, {n} at once": _TARGET for n in CONNECTIONS}

_numbers = itertools.count()


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=10)
    limit_s = 60 + 2 * len(CONNECTIONS) * asked.runs * (asked.seconds + 5)
    with stage.stage(limit_s=limit_s) as built, machine.on(stage.others()):
        pool = FirstPool(built, asked.seconds)
        sides: dict[str, Callable[[], Figures]] = {}
        for n in CONNECTIONS:
            sides[f"router alone, {n} at once"] = partial(pool.router_alone, n)
            sides[f"first request, {n} at once"] = partial(pool.first, n)
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {"router_ms": ROUTER_MS, "seconds": asked.seconds, "answer": "proxied"}
    report.publish("first_request", QUESTION, asked.runs, results, setting)


class FirstPool:
    """A web process with a core for itself, a worker, and a router that takes its time."""

    def __init__(self, built: Stage, seconds: int) -> None:
        self._seconds = seconds
        self._router = built.stand_in("--content", stage.ROUTE, "--delay-ms", str(ROUTER_MS))
        pool, self._port = built.pool(built.stand_in(), self._router), free_port()
        stage.on_own_core(lambda: pool.web(self._port))
        built.worker(pool)
        self._alone: dict[int, Load] = {}
        load.once(self._port, _asks(64), connections=8, seconds=5)  # warm up

    def router_alone(self, connections: int) -> Figures:
        """The router model asked directly; what follows in the same run is compared with it."""
        self._alone[connections] = self._asked(self._router.port, connections)
        return report.speed(self._alone[connections])

    def first(self, connections: int) -> Figures:
        """Each request the first of its session: routed, pinned and answered by the provider."""
        done, alone = self._asked(self._port, connections), self._alone[connections]
        return {
            **report.speed(done),
            "added_p50_ms": done.p50_ms - alone.p50_ms,
            "added_p99_ms": done.p99_ms - alone.p99_ms,
        }

    def _asked(self, port: int, connections: int) -> Load:
        most = self._seconds * connections * 1000 // ROUTER_MS + connections
        return load.once(port, _asks(most), connections=connections, seconds=self._seconds)


def _asks(number: int) -> list[bytes]:
    return stage.requests(stage.CHAT, [f"first-{n}" for n in itertools.islice(_numbers, number)])


if __name__ == "__main__":
    main()
