"""The clock process: `python -m workers.clock`. It has workers refresh the metrics. Two clocks do no harm."""

import logging
import os
import signal
import sys
import threading
import time

from shared import bootstrap, logs
from shared.config import Config
from shared.config.sections import MetricSource
from shared.domain.ranking import Snapshot
from shared.env_settings import Settings
from shared.errors import ConfigError, QueueDown
from shared.store.queue import RefreshQueue
from workers.metrics.schedule import TICK_S, Schedule

log = logging.getLogger("plano.clock")


def main() -> int:
    """Ask for refreshes until SIGTERM; an outage of Redis is waited out."""
    stop = _stop_on_signal()
    try:
        settings = Settings.from_env(os.environ)
        logs.set_up_logging(settings.log_format)
        base = bootstrap.clock(settings, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sources = _sources(base.config)
    log.info("clock started: %s", _told(sources))
    for each in base.background:
        each.start()
    schedule = Schedule(sources)
    while not stop.is_set():
        if sources:
            tick(schedule, base.queue, base.metrics.snapshot(), time.time())
        stop.wait(TICK_S if sources else None)
    for each in base.background:
        each.stop()
    log.info("clock stopped")
    return 0


def tick(schedule: Schedule, queue: RefreshQueue, snapshot: Snapshot, now_s: float) -> None:
    """Queue a refresh of each source that is due; while the queue is away the source stays due."""
    for source in schedule.due(snapshot, now_s):
        try:
            queue.refresh(source.type, source.provider)
        except QueueDown:
            return
        schedule.asked(source, now_s)


def _sources(config: Config) -> tuple[MetricSource, ...]:
    if config.routing.session_cache.type == "memory":
        return ()  # the web process refreshes by itself
    return config.sources


def _told(sources: tuple[MetricSource, ...]) -> str:
    if not sources:
        return "no metric sources are configured"
    return ", ".join(f"{one.type} from {one.provider} every {one.refresh_interval_s} s" for one in sources)


def _stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set.

    A thread waits for the signals. A handler could interrupt code that holds the event's own lock.
    """
    stop = threading.Event()
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before there is another thread: threads inherit the mask

    def wait() -> None:
        signal.sigwait(stops)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop


if __name__ == "__main__":
    sys.exit(main())
