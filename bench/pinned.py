"""How fast one web process on one core serves sessions that are pinned: `python -m bench.pinned`."""

from bench import load, machine, report, stage
from bench.generator import Load
from bench.report import Figures
from bench.stage import Stage, StandIn
from tests.fakes.ports import free_port

QUESTION = (
    "How many pinned decisions and pinned proxied answers a second does one web process serve on one core, "
    "at 32 connections, and what does each cost?"
)
CONNECTIONS = 32
PINNED = "x-plano-pinned"
SESSIONS = [f"bench-{n}" for n in range(64)]
TARGETS = {
    "decision": {"requests_per_s": "≥ 2,500", "redis_commands_per_request": "1"},
    "proxied": {"requests_per_s": "≥ 2,000", "redis_commands_per_request": "1"},
}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3)
    with stage.stage(limit_s=120) as built, machine.on(stage.others()):
        pool = _Pool(built)
        for path in (stage.DECISION, stage.CHAT):
            pool.pinned(path, seconds=1)  # warm up: connections, caches
        sides = {
            "decision": lambda: pool.pinned(stage.DECISION, asked.seconds),
            "proxied": lambda: pool.pinned(stage.CHAT, asked.seconds),
            "provider alone": lambda: _ceiling(pool.provider),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("pinned", QUESTION, asked.runs, results, {"connections": CONNECTIONS, "seconds": asked.seconds})


class _Pool:
    """A web process with a core for itself, whose sessions were all pinned by a worker that has left since."""

    def __init__(self, built: Stage) -> None:
        self._built = built
        self.provider = built.stand_in()
        router = built.stand_in("--content", stage.ROUTE)
        pool, self._port = built.pool(self.provider, router), free_port()
        self._web = stage.on_own_core(lambda: pool.web(self._port))
        worker = pool.worker()
        load.once(self._port, stage.requests(stage.DECISION, SESSIONS), connections=8, seconds=20)
        worker.stop()
        router.process.stop()

    def pinned(self, path: str, seconds: int) -> Figures:
        """One run; every answer must say that a pin decided."""
        asks = stage.requests(path, SESSIONS)
        commands = self._commands_per_request(asks)
        meter = stage.Meter(
            web=stage.of(self._web),
            provider=stage.of(self.provider.process),
            redis=self._built.redis_processor_s,
        )
        done = load.loop(self._port, asks, connections=CONNECTIONS, seconds=seconds, required=PINNED)
        used_s = meter.read()
        return {
            **_speed(done),
            "web_processor_ms_per_request": used_s["web"] * 1000 / done.requests,
            "redis_commands_per_request": commands,
            "web_share_of_its_core": used_s["web"] / done.seconds,
            "provider_share_of_a_core": used_s["provider"] / done.seconds,
            "redis_share_of_a_core": used_s["redis"] / done.seconds,
            "web_rss_mb": machine.rss_mb(self._web.pid),
        }

    def _commands_per_request(self, asks: list[bytes]) -> float:
        """Counted over a load of our own: wrk leaves requests under way when its time is over."""
        self._built.wait_for_quiet()
        before = self._built.redis_commands()
        done = load.once(self._port, asks * 16, connections=CONNECTIONS, seconds=20, required=PINNED)
        return (self._built.redis_commands() - before) / done.requests


def _ceiling(provider: StandIn) -> Figures:
    """What generator and provider reach without us between them: far more, or they are what was measured."""
    asks = stage.requests(stage.CHAT, SESSIONS)
    return _speed(load.loop(provider.port, asks, connections=CONNECTIONS, seconds=1))


def _speed(done: Load) -> Figures:
    return {
        "requests_per_s": done.requests_per_s,
        "p50_ms": done.p50_ms,
        "p99_ms": done.p99_ms,
        "max_ms": done.max_ms,
    }


if __name__ == "__main__":
    main()
