"""What the pool adds to one answer's time when nothing else goes on: `python -m bench.latency`."""

from bench import load, machine, report, stage
from bench.generator import Load
from bench.pinned_pool import PINNED, PinnedPool
from bench.report import Figures

QUESTION = (
    "How much longer does a pinned decision or proxied answer take at 1 connection than the provider asked directly?"
)
_TARGET = {"added_p50_ms": "≤ 0.35", "added_p99_ms": "≤ 1.5"}
TARGETS = {"decision": _TARGET, "proxied": _TARGET}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=4)
    with stage.stage(limit_s=60 + 10 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        one = OneClient(PinnedPool(built), asked.seconds)
        sides = {
            "provider alone": one.direct,
            "decision": lambda: one.added(stage.DECISION),
            "proxied": lambda: one.added(stage.CHAT),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("latency", QUESTION, asked.runs, results, {"connections": 1, "seconds": asked.seconds})


class OneClient:
    """One client that asks again as soon as it has its answer."""

    def __init__(self, pool: PinnedPool, seconds: int) -> None:
        self._pool = pool
        self._seconds = seconds
        self._direct: Load | None = None
        pool.warm_up(stage.DECISION, stage.CHAT)

    def direct(self) -> Figures:
        """The provider; what follows in the same run is compared with it."""
        self._direct = self._asked(self._pool.provider.port, stage.CHAT)
        return report.speed(self._direct)

    def added(self, path: str) -> Figures:
        """The pool, and by how much it is slower."""
        assert self._direct
        done = self._asked(self._pool.port, path, required=PINNED)
        return {
            **report.speed(done),
            "added_p50_ms": done.p50_ms - self._direct.p50_ms,
            "added_p99_ms": done.p99_ms - self._direct.p99_ms,
        }

    def _asked(self, port: int, path: str, required: str | None = None) -> Load:
        # Our own generator, since wrk would add what it believes it has omitted.
        asks = stage.requests(path, self._pool.sessions)
        return load.loop(port, asks, connections=1, seconds=self._seconds, required=required, own=True)


if __name__ == "__main__":
    main()
