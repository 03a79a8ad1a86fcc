"""The snapshot of a process without Redis: kept and refreshed in place."""

import threading
import time
from collections.abc import Callable

from shared.config import Config
from shared.domain.ranking import EMPTY, Kind, Snapshot
from workers.metrics.observed import Averages
from workers.metrics.refresh import Refresher
from workers.metrics.schedule import TICK_S, Schedule

FIRST_READ_S = 1.0
"""How long the first decisions wait for a source's first answer."""


class LocalMetrics:
    """Starts to read the sources when it is first asked, because a server forks after it is built."""

    def __init__(self, config: Config, seen: Averages) -> None:
        self._held = _Held()
        self._refresher = Refresher(config.sources, self._held, seen=seen, routes=config.routes)
        self._schedule = Schedule(config.sources)
        self._lock = threading.Lock()
        self._started_at: float | None = None
        self._tried = threading.Event()

    def snapshot(self) -> Snapshot:
        """What was measured last; empty when nothing was."""
        if not self._tried.is_set():
            with self._lock:
                started_at = self._started_at = self._started_at or self._start()
            self._tried.wait(max(0.0, started_at + FIRST_READ_S - time.monotonic()))
        return self._held.snapshot()

    def _start(self) -> float:
        threading.Thread(target=self._run, name="metrics", daemon=True).start()
        return time.monotonic()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            now_s = time.time()
            for source in self._schedule.due(self._held.snapshot(), now_s):
                self._schedule.asked(source, now_s)
                self._refresher.refresh(Kind(source.type))
            self._tried.set()
            pause.wait(TICK_S)


class _Held:
    """A snapshot in memory, changed by one thread; readers see the old one or the new one."""

    def __init__(self) -> None:
        self._standing = EMPTY

    def snapshot(self) -> Snapshot:
        return self._standing

    def update(self, change: Callable[[Snapshot], Snapshot], ttl_s: int) -> None:  # noqa: ARG002 - the store's signature
        self._standing = change(self._standing)


def build(config: Config, seen: Averages) -> LocalMetrics:
    """The snapshot that a config's sources fill, and what this process itself has seen."""
    return LocalMetrics(config, seen)
