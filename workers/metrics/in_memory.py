"""The snapshot in memory mode: the web process itself keeps and refreshes it."""

import threading
import time
from collections.abc import Callable

from shared.config import Config
from shared.domain.ranking import EMPTY, Kind, Snapshot
from shared.outgoing import Outgoing
from shared.periodic import Periodic
from workers.metrics.fetch import Fetch
from workers.metrics.observed import Averages
from workers.metrics.refresh import Refresher
from workers.metrics.schedule import TICK_S, Schedule

FIRST_READ_S = 1.0
"""How long a process waits for the first answers of its sources before it serves."""


class LocalMetrics:
    """The snapshot that is filled by the config's sources and by what this process has measured."""

    def __init__(self, config: Config, averages: Averages, outgoing: Outgoing) -> None:
        self._held = _Held()
        self._refresher = Refresher(
            config.sources, self._held, Fetch(outgoing=outgoing), averages=averages, routes=config.routes
        )
        self._schedule = Schedule(config.sources)
        self._tried = threading.Event()
        self._rounds = Periodic(TICK_S, self._refresh, "metrics")

    def start(self) -> None:
        """Begin to read the sources, and wait for their first answers."""
        self._rounds.start()
        self._tried.wait(FIRST_READ_S)

    def stop(self) -> None:
        """Stop reading them."""
        self._rounds.stop()

    def snapshot(self) -> Snapshot:
        """What was measured last; empty when nothing was."""
        return self._held.snapshot()

    def _refresh(self) -> None:
        now_s = time.time()
        for source in self._schedule.due(self._held.snapshot(), now_s):
            self._schedule.asked(source, now_s)
            self._refresher.refresh(Kind(source.type))
        self._tried.set()


class _Held:
    """A snapshot in memory. One thread changes it; readers get the old one or the new one."""

    def __init__(self) -> None:
        self._standing = EMPTY

    def snapshot(self) -> Snapshot:
        return self._standing

    def update(self, change: Callable[[Snapshot], Snapshot], ttl_s: int) -> None:  # noqa: ARG002 - the store's signature
        self._standing = change(self._standing)
