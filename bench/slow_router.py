"""How many slow router calls one worker process holds at once: `python -m bench.slow_router`."""

import itertools
from collections.abc import Callable

from bench import load, machine, report, stage
from bench.generator import Load
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port

QUESTION = (
    "Does one worker process hold 64 router calls of 1 s at once, and how many decisions a second does it make "
    "with a router that takes 100 ms?"
)
AT_ONCE = 64
SLOW_MS, BRISK_MS = 1000, 100
WAITING = 96
"""First requests at once for the second question: more than the worker's places, so that none is ever free."""
TARGETS = {
    "64 at once, router 1 s": {"router_calls_at_once": "64"},
    "closed loop, router 100 ms": {"decisions_per_s": "≥ 300"},
}

_numbers = itertools.count()


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=4)
    with stage.stage(limit_s=120) as built, machine.on(stage.others()):
        pool = _Pool(built)
        sides: dict[str, Callable[[], Figures]] = {
            "64 at once, router 1 s": pool.at_once,
            "closed loop, router 100 ms": lambda: pool.closed_loop(asked.seconds),
        }
        pool.closed_loop(1)  # warm up
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {"worker_concurrency": AT_ONCE, "waiting": WAITING, "seconds": asked.seconds}
    report.publish("slow_router", QUESTION, asked.runs, results, setting)


class _Pool:
    """A web process, a worker with a core for itself, and a router that takes its time."""

    def __init__(self, built: Stage) -> None:
        self._built = built
        self._router = built.stand_in("--content", stage.ROUTE)
        pool, self._port = built.pool(self._router, self._router), free_port()
        self._web = pool.web(self._port)
        self._worker = stage.on_own_core(pool.worker)

    def at_once(self) -> Figures:
        """First requests, each of its own session, at the same moment."""
        self._router.delay(SLOW_MS)
        return self._measured(lambda: load.once(self._port, _asks(AT_ONCE), connections=AT_ONCE, seconds=20))

    def closed_loop(self, seconds: int) -> Figures:
        """First requests one after another on each of many connections."""
        self._router.delay(BRISK_MS)
        most = seconds * AT_ONCE * 1000 // BRISK_MS + WAITING  # no worker can do more
        return self._measured(lambda: load.once(self._port, _asks(most), connections=WAITING, seconds=seconds))

    def _measured(self, run: Callable[[], Load]) -> Figures:
        meter = stage.Meter(
            web=stage.of(self._web), worker=stage.of(self._worker), redis=self._built.redis_processor_s
        )
        done = run()
        used_s, counts = meter.read(), self._router.counts()
        return {
            "decisions_per_s": done.requests_per_s,
            "wall_s": done.seconds,
            "p50_ms": done.p50_ms,
            "p99_ms": done.p99_ms,
            "router_calls_at_once": counts["most_open"],
            # Over the router's calls, since some answers came after the last one that counts.
            "worker_processor_ms_per_decision": used_s["worker"] * 1000 / counts["calls"],
            "web_processor_ms_per_decision": used_s["web"] * 1000 / counts["calls"],
            "redis_processor_ms_per_decision": used_s["redis"] * 1000 / counts["calls"],
            "worker_share_of_its_core": used_s["worker"] / done.seconds,
            "web_share_of_a_core": used_s["web"] / done.seconds,
        }


def _asks(number: int) -> list[bytes]:
    return stage.requests(stage.DECISION, [f"first-{n}" for n in itertools.islice(_numbers, number)])


if __name__ == "__main__":
    main()
