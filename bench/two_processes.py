"""Whether web processes of one replica slow each other: `python -m bench.two_processes`."""

from bench import load, report, stage
from bench.pinned_pool import CONNECTIONS, PINNED, PinnedPool
from bench.report import Figures
from tests.fakes.ports import free_port
from tests.harness import Process

QUESTION = "Does a pinned answer cost more processor time with WEB_CONCURRENCY=2 than with 1?"
TARGETS = {"two processes": {"of_one_process": "≤ 1.1"}}


def main() -> None:
    """Measure and publish; nothing has a core for itself, since two processes would then share it."""
    asked = report.options(QUESTION, runs=5, seconds=4)
    with stage.stage(limit_s=60 + 10 * asked.runs * asked.seconds) as built:
        both = _Both(PinnedPool(built, own_core=False), asked.seconds)
        results = report.interleaved({"one process": both.one, "two processes": both.two}, asked.runs, TARGETS)
    setting = {"connections": CONNECTIONS, "seconds": asked.seconds, "answer": "proxied"}
    report.publish("two_processes", QUESTION, asked.runs, results, setting)


class _Both:
    """One web process, and beside it a replica of two, on the same pins."""

    def __init__(self, pool: PinnedPool, seconds: int) -> None:
        self._sessions = pool.sessions
        self._seconds = seconds
        self._one, self._one_port = pool.web, pool.port
        self._two_port = free_port()
        self._two = pool.pool.web(self._two_port, WEB_CONCURRENCY="2")
        self._one_ms = 0.0
        for port in (self._one_port, self._two_port):
            load.loop(port, stage.requests(stage.CHAT, self._sessions), connections=CONNECTIONS, seconds=1)

    def one(self) -> Figures:
        """What two are compared with."""
        found = self._measured(self._one, self._one_port)
        self._one_ms = found["web_processor_ms_per_request"]
        return found

    def two(self) -> Figures:
        """And what of it they take."""
        found = self._measured(self._two, self._two_port)
        return {**found, "of_one_process": found["web_processor_ms_per_request"] / self._one_ms}

    def _measured(self, web: Process, port: int) -> Figures:
        meter = stage.Meter(web=stage.of(web))
        asks = stage.requests(stage.CHAT, self._sessions)
        done = load.loop(port, asks, connections=CONNECTIONS, seconds=self._seconds, required=PINNED)
        used_s = meter.read()["web"]
        return {
            **report.speed(done),
            "web_processor_ms_per_request": used_s * 1000 / done.requests,
            "web_cores": used_s / done.seconds,
        }


if __name__ == "__main__":
    main()
