"""How fast one web process on one core serves sessions that are pinned: `python -m bench.pinned`."""

from bench import load, machine, report, stage
from bench.pinned_pool import CONNECTIONS, SESSIONS, PinnedPool
from bench.report import Figures
from bench.stage import StandIn

QUESTION = (
    "How many pinned decisions and pinned proxied answers a second does one web process serve on one core, "
    "at 32 connections, and what does each cost?"
)
TARGETS = {
    "decision": {"requests_per_s": "≥ 2,500", "redis_commands_per_request": "1"},
    "proxied": {
        "requests_per_s": "≥ 2,000",
        "web_processor_ms_per_request": "≤ 0.30",
        "redis_commands_per_request": "1",
    },
}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3)
    with stage.stage(limit_s=60 + 15 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        pool = PinnedPool(built)
        pool.warm_up(stage.DECISION, stage.CHAT)
        sides = {
            "decision": lambda: measure(pool, stage.DECISION, asked.seconds),
            "proxied": lambda: measure(pool, stage.CHAT, asked.seconds),
            "provider alone": lambda: _ceiling(pool.provider),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("pinned", QUESTION, asked.runs, results, {"connections": CONNECTIONS, "seconds": asked.seconds})


def measure(pool: PinnedPool, path: str, seconds: int) -> Figures:
    """One load, and its cost."""
    commands = pool.redis_commands_per_request(path)
    done, used_s = pool.ask(path, seconds)
    return {
        **report.speed(done),
        "web_processor_ms_per_request": used_s["web"] * 1000 / done.requests,
        "redis_commands_per_request": commands,
        "web_share_of_its_core": used_s["web"] / done.seconds,
        "provider_share_of_a_core": used_s["provider"] / done.seconds,
        "redis_share_of_a_core": used_s["redis"] / done.seconds,
        "web_rss_mb": machine.rss_mb(pool.web.pid),
    }


def _ceiling(provider: StandIn) -> Figures:
    """What generator and provider reach without us between them: far more, or they are what was measured."""
    asks = stage.requests(stage.CHAT, SESSIONS)
    return report.speed(load.loop(provider.port, asks, connections=CONNECTIONS, seconds=1))


if __name__ == "__main__":
    main()
