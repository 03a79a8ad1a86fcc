"""How many Redis connections a process holds under first requests: `python -m bench.connections`."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

from bench import load, machine, report, stage
from bench.generator import Load
from bench.report import Figures
from bench.stage import Stage, StandIn
from tests.fakes.ports import free_port
from tests.harness import Process

QUESTION = "How many Redis connections do a web process and a worker process hold while 300 first requests wait?"
WAITING = 300
ROUTER_MS = 1000
SAMPLE_EVERY_S = 0.02
TARGETS = {"300 first requests": {"web_connections": "≤ 8", "worker_connections": "≤ 8"}}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=30)
    with stage.stage(limit_s=150) as built:
        router = built.stand_in("--content", stage.ROUTE, "--delay-ms", str(ROUTER_MS))
        pool, port = built.pool(router, router), free_port()
        watch = _Watch(built, router, {"web": pool.web(port), "worker": built.worker(pool)})
        run = iter(range(asked.runs))
        sides: dict[str, Callable[[], Figures]] = {
            "300 first requests": lambda: watch.during(
                lambda: load.once(port, _asks(next(run)), connections=WAITING, seconds=asked.seconds)
            )
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("connections", QUESTION, asked.runs, results, {"waiting": WAITING, "router_ms": ROUTER_MS})


class _Watch:
    """Looks at Redis's clients again and again, and keeps the most it saw of each process."""

    def __init__(self, built: Stage, router: StandIn, processes: dict[str, Process]) -> None:
        self._redis = built.redis
        self._redis_port = built.redis_port
        self._router = router
        self._processes = processes

    def during(self, run: Callable[[], Load]) -> Figures:
        """The most connections while the load runs, and the most requests that waited at that time."""
        most: Counter[str] = Counter()
        samples = 0
        with ThreadPoolExecutor(1) as beside:
            loaded = beside.submit(run)
            while not loaded.done():
                most |= self._sample()
                samples += 1
                time.sleep(SAMPLE_EVERY_S)
            done = loaded.result()
        return {
            "web_connections": most["web"],
            "worker_connections": most["worker"],
            "of_unknown_owner": most["unknown"],
            "decisions_waiting": most["waiting"],
            "answered": done.requests,
            "wall_s": done.seconds,
            "samples": samples,
        }

    def _sample(self) -> Counter[str]:
        """CLIENT LIST by owner, where one made or closed just now has none; and jobs queued or at the router."""
        addresses = [client["addr"] for client in self._redis.client_list() if client["addr"].startswith("127.")]
        owners = {address: name for name, process in self._processes.items() for address in self._addresses(process)}
        seen = Counter(owners.get(address, "unknown") for address in addresses)
        seen["waiting"] = int(self._redis.llen("rq:queue:plano")) + self._router.counts()["most_open"]
        return seen

    def _addresses(self, process: Process) -> list[str]:
        """The near ends of a process tree's connections to Redis."""
        return [
            f"{end.laddr.ip}:{end.laddr.port}"
            for pid in machine.tree(process.pid)
            for end in psutil.Process(pid).net_connections("tcp4")
            if getattr(end.raddr, "port", None) == self._redis_port  # a listening one has none
        ]


def _asks(run: int) -> list[bytes]:
    return stage.requests(stage.DECISION, [f"run{run}-{n}" for n in range(WAITING)])


if __name__ == "__main__":
    main()
