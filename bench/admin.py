"""How long the operator's pages take with a million sessions in Redis: `python -m bench.admin`."""

import argparse
import time
from collections.abc import Callable

from bench import machine, report, stage
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port
from tests.harness import Pool
from tests.web.operators import TOKEN, Browser
from tests.web.staged import FIRST, seed

QUESTION = "How long does the first page of each of the operator's lists take, and what is Redis's longest command?"
PAGES = {
    "overview": "/admin/",
    "overview, day": "/admin/?span=day",
    "sessions by last use": "/admin/sessions",
    "sessions by cost": "/admin/sessions?order=cost",
    "sessions by kept": "/admin/sessions?order=kept",
    "sessions of a tenant": "/admin/sessions?tenant=acme",
    "sessions of a model": f"/admin/sessions?model={FIRST}",
    "all sessions": "/admin/sessions?every=true",
    "all sessions, ended too": "/admin/sessions?every=true&ended=true",
    "first look of a search": "/admin/sessions?every=true&text=-00000",
    "models": "/admin/models",
    "replicas": "/admin/replicas",
    "queue": "/admin/queue",
}
TARGETS = {name: {"page_ms": "≤ 300", "longest_redis_command_ms": "≤ 5"} for name in PAGES}
_SLOWER_THAN_US = 100
"""What Redis logs as slow; a page without such a command shows this figure."""


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=0, add=_add)
    with stage.stage(limit_s=3600) as built, machine.on(stage.others()):
        seed(f"redis://127.0.0.1:{built.redis_port}", asked.sessions)
        lists = _Lists(built)
        for page in PAGES.values():
            lists.see(page)  # warm up
        results = report.interleaved({name: _side(lists, page) for name, page in PAGES.items()}, asked.runs, TARGETS)
    report.publish("admin", QUESTION, asked.runs, results, {"sessions": asked.sessions})


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=1_000_000, help="so many are in Redis (%(default)s)")


def _side(lists: "_Lists", page: str) -> Callable[[], Figures]:
    return lambda: lists.see(page)


class _Lists:
    """A web process, and an operator who is logged in."""

    def __init__(self, built: Stage) -> None:
        self._redis = built.redis
        self._commands = built.redis_commands
        self._redis.config_set("slowlog-log-slower-than", _SLOWER_THAN_US)
        self._redis.config_set("slowlog-max-len", 10_000)
        provider = built.stand_in()
        pool, port = built.pool(provider, provider), free_port()
        self._start(pool, port)
        self._browser = Browser(f"http://127.0.0.1:{port}")
        self._browser.log_in()

    @staticmethod
    def _start(pool: Pool, port: int) -> None:
        pool.environment["PLANO_ADMIN_TOKEN"] = TOKEN
        pool.web(port)

    def see(self, page: str) -> Figures:
        """Ask for a page once."""
        self._redis.slowlog_reset()
        commands, began = self._commands(), time.perf_counter()
        answer = self._browser.see(page)
        took_s = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        slow = [entry["duration"] for entry in self._redis.slowlog_get(1000)]
        return {
            "page_ms": took_s * 1000,
            "longest_redis_command_ms": max(slow, default=_SLOWER_THAN_US) / 1000,
            "redis_commands": self._commands() - commands,
            "page_kb": len(answer.content) / 1000,
        }


if __name__ == "__main__":
    main()
