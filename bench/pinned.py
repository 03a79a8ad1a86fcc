"""How fast one web process on one core serves sessions that are pinned: `python -m bench.pinned`."""

from bench import load, machine, report, stage
from bench.generator import Load
from bench.report import Figures
from bench.stage import Stage, StandIn
from tests.fakes.ports import free_port
from tests.harness import Process

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
        provider = built.stand_in()
        web, port = _pinned_pool(built, provider)

        def pinned(path: str) -> Figures:
            return _pinned(built, web, provider, port, path, asked.seconds)

        pinned(stage.DECISION), pinned(stage.CHAT)  # warm up: connections, caches
        sides = {
            "decision": lambda: pinned(stage.DECISION),
            "proxied": lambda: pinned(stage.CHAT),
            "provider alone": lambda: _ceiling(provider),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("pinned", QUESTION, asked.runs, results, {"connections": CONNECTIONS, "seconds": asked.seconds})


def _pinned_pool(built: Stage, provider: StandIn) -> tuple[Process, int]:
    """A web process whose sessions are all pinned, by a worker that has left since."""
    router = built.stand_in("--content", stage.ROUTE)
    pool, port = built.pool(provider, router), free_port()
    web = stage.on_own_core(lambda: pool.web(port))
    worker = pool.worker()
    load.once(port, stage.requests(stage.DECISION, SESSIONS), connections=8, seconds=20)
    worker.stop()
    router.process.stop()
    return web, port


def _pinned(built: Stage, web: Process, provider: StandIn, port: int, asks: list[bytes], seconds: int) -> Figures:
    """One run; every answer must say that a pin decided."""
    commands = _commands_per_request(built, port, asks)
    meter = stage.Meter(web=stage.of(web), provider=stage.of(provider.process), redis=built.redis_processor_s)
    done = load.loop(port, asks, connections=CONNECTIONS, seconds=seconds, required=PINNED)
    used_s = meter.read()
    return {
        **_speed(done),
        "web_processor_ms_per_request": used_s["web"] * 1000 / done.requests,
        "redis_commands_per_request": commands,
        "web_share_of_its_core": used_s["web"] / done.seconds,
        "provider_share_of_a_core": used_s["provider"] / done.seconds,
        "redis_share_of_a_core": used_s["redis"] / done.seconds,
        "web_rss_mb": machine.rss_mb(web.pid),
    }


def _commands_per_request(built: Stage, port: int, asks: list[bytes]) -> float:
    """Counted over a load that ends with all requests answered: wrk leaves those under way uncounted."""
    before = built.redis_commands()
    done = load.once(port, asks * 16, connections=CONNECTIONS, seconds=20, required=PINNED)
    return (built.redis_commands() - before) / done.requests


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
