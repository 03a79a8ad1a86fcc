"""What pins and processes take of memory, and whether many pins slow one: `python -m bench.memory`."""

import argparse
import itertools
import random
import uuid

from bench import load, machine, report, stage
from bench.generator import Load
from bench.pinned_pool import CONNECTIONS, PINNED
from bench.report import Figures
from bench.stage import Stage
from shared.domain import pins
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.store import keys
from tests.fakes.ports import free_port
from tests.harness import Process

QUESTION = (
    "What does Redis take for each of 1,000,000 pins, do they slow a pinned decision, "
    "and what do processes take at rest?"
)
FEW = 1_000
BATCH = 10_000
TTL_S = 3600
AT_REST = "processes at rest"
TARGETS = {
    "many pins": {"redis_bytes_per_pin": "≤ 300", "p99_of_few": "≤ 1.2"},
    AT_REST: {"web_rss_mb": "≤ 90", "worker_rss_mb": "≤ 90"},
}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=4, add=_more)
    limit_s = 120 + asked.pins // 5_000 + 10 * asked.runs * asked.seconds
    with (
        stage.stage(limit_s=limit_s) as small,
        stage.stage(limit_s=limit_s) as large,
        machine.on(stage.others()),
    ):
        few, many = _Pool(small, asked.seconds), _Pool(large, asked.seconds)
        at_rest = many.at_rest()
        few.fill(FEW)
        bytes_per_pin = many.fill(asked.pins)
        few_ms: list[float] = []

        def of_few() -> Figures:
            few_ms.append(few.asked().p99_ms)
            return {"pins": FEW, "p99_ms": few_ms[-1]}

        def of_many() -> Figures:
            done = many.asked()
            return {
                "pins": asked.pins,
                "redis_bytes_per_pin": bytes_per_pin,
                "p99_ms": done.p99_ms,
                "p99_of_few": done.p99_ms / few_ms[-1],
            }

        sides = {"few pins": of_few, "many pins": of_many, AT_REST: lambda: at_rest}
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {"connections": CONNECTIONS, "seconds": asked.seconds, "session": "a UUID", "ttl_s": TTL_S}
    report.publish("memory", QUESTION, asked.runs, results, setting)


class _Pool:
    """A web process with a core for itself, on a Redis of its own."""

    def __init__(self, built: Stage, seconds: int) -> None:
        self._built = built
        self._seconds = seconds
        self._stand_in = built.stand_in("--content", stage.ROUTE)
        self._pool, self._port = built.pool(self._stand_in, self._stand_in), free_port()
        self._web = stage.on_own_core(lambda: self._pool.web(self._port))
        self._asks: list[bytes] = []

    def at_rest(self) -> Figures:
        """A web process and a worker with an HTTP router, before they have done anything."""
        worker = self._built.worker(self._pool)
        self._built.wait_for_quiet()
        found = {**_taken("web", self._web), **_taken("worker", worker)}
        worker.stop()
        return found

    def fill(self, number: int) -> float:
        """Pin so many sessions as the pool itself would, with what it writes; bytes that Redis took for each."""
        value = pins.encode(Pin(model_name="openai/gpt-5.2", route_name="deep_reasoning"))
        # As many as the few are asked for, spread over all; seeded, so that a run can be repeated.
        draw = random.Random(number)
        sessions = (str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in range(number))
        asked: list[str] = []
        before = self._used()
        while batch := list(itertools.islice(sessions, BATCH)):
            with self._built.redis.pipeline(transaction=False) as pipe:
                for session in batch:
                    pipe.set(keys.affinity(Session(session)), value, ex=TTL_S, nx=True)
                pipe.execute()
            asked += batch[:: max(1, number // FEW)]
        self._asks = stage.requests(stage.DECISION, asked)
        load.loop(self._port, self._asks, connections=CONNECTIONS, seconds=1, required=PINNED)  # warm up
        assert self._built.redis.dbsize() >= number
        return (self._used() - before) / number

    def asked(self) -> Load:
        """Pinned decisions."""
        return load.loop(self._port, self._asks, connections=CONNECTIONS, seconds=self._seconds, required=PINNED)

    def _used(self) -> int:
        return int(self._built.redis.info("memory")["used_memory"])


def _taken(name: str, process: Process) -> Figures:
    """Of a process and those it has started: the largest one, all of them, and all with shared pages once."""
    tree = machine.tree(process.pid)
    return {
        f"{name}_rss_mb": max(map(machine.own_rss_mb, tree)),
        f"{name}_tree_rss_mb": machine.rss_mb(process.pid),
        f"{name}_tree_pss_mb": machine.pss_mb(process.pid),
    }


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pins", type=int, default=1_000_000, help="the many (%(default)s)")


if __name__ == "__main__":
    main()
