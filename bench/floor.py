"""How near a pinned decision comes to what this stack can do at best: `python -m bench.floor`."""

import os
from collections.abc import Callable
from functools import partial

from bench import load, machine, report, stage
from bench.generator import Load
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port
from tests.harness import Process

QUESTION = (
    "What share of a bare WSGI answer's requests a second does a pinned decision reach under the same gunicorn?"
)
BARE = "bare WSGI"
APPS = {BARE: "bare", "Flask alone": "flask_alone()", "Flask and one Redis GET": "flask_redis()"}
TARGETS = {"pinned decision": {"of_bare": "≥ 0.45"}}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3)
    with stage.stage(limit_s=60 + 15 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        pool = PinnedPool(built)
        pool.warm_up(stage.DECISION)
        floor = _Floor(built, pool.sessions, asked.seconds)
        sides: dict[str, Callable[[], Figures]] = {
            **{name: partial(floor.ask, name) for name in APPS},
            "pinned decision": lambda: floor.compared(*pool.ask(stage.DECISION, asked.seconds)),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("floor", QUESTION, asked.runs, results, {"connections": CONNECTIONS, "seconds": asked.seconds})


class _Floor:
    """A gunicorn for each application, all on the core that web has in its turn."""

    def __init__(self, built: Stage, sessions: list[str], seconds: int) -> None:
        self._asks = stage.requests(stage.DECISION, sessions)
        self._seconds = seconds
        self._ports = {name: free_port() for name in APPS}
        self._bare_per_s = 0.0
        self._running = {
            name: stage.on_own_core(partial(_gunicorn, built, self._ports[name], app)) for name, app in APPS.items()
        }
        for port in self._ports.values():
            load.loop(port, self._asks, connections=CONNECTIONS, seconds=1)  # warm up

    def ask(self, name: str) -> Figures:
        """One application."""
        meter = stage.Meter(web=stage.of(self._running[name]))
        done = load.loop(self._ports[name], self._asks, connections=CONNECTIONS, seconds=self._seconds)
        if name == BARE:
            self._bare_per_s = done.requests_per_s
        return self.compared(done, meter.read())

    def compared(self, done: Load, used_s: dict[str, float]) -> Figures:
        """A load's figures beside those of the bare answer in the same run."""
        return {
            **report.speed(done),
            "of_bare": done.requests_per_s / self._bare_per_s,
            "web_processor_ms_per_request": used_s["web"] * 1000 / done.requests,
            "web_share_of_its_core": used_s["web"] / done.seconds,
        }


def _gunicorn(built: Stage, port: int, app: str) -> Process:
    """gunicorn with what ours is set to, but for what is ours: its own gevent worker, the C parser."""
    command = [
        "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gevent", "--preload",
        "--worker-connections", "4096", "--keep-alive", "95", "--graceful-timeout", "1", "--no-control-socket",
        f"bench.floor_apps:{app}",
    ]  # fmt: skip
    return built.process(command, port, {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{built.redis_port}"})


if __name__ == "__main__":
    main()
