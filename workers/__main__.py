"""The worker process: `python -m workers`."""

from gevent import monkey

# Patched before anything opens a socket, but for select(). redis-py and urllib3 use it to check whether a connection
# is still good, without waiting; gevent's takes 0.1 ms for that, and the system's 1 µs.
monkey.patch_all(select=False)

import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

import gevent  # noqa: E402
import redis  # noqa: E402

from shared import bootstrap, logs  # noqa: E402
from shared.env_settings import Settings  # noqa: E402
from shared.errors import ConfigError  # noqa: E402
from shared.log_fields import fields  # noqa: E402
from shared.periodic import repeat  # noqa: E402
from shared.process_dependencies import WorkerBase  # noqa: E402
from workers import decide  # noqa: E402
from workers.metrics.fetch import Fetch  # noqa: E402
from workers.metrics.refresh import Refresher  # noqa: E402
from workers.pool import DRAIN_S, PoolWorker  # noqa: E402
from workers.services import WorkerServices  # noqa: E402

log = logging.getLogger("plano.worker")

PAUSE_S = 1.0


def main() -> int:
    """Work until SIGTERM; an outage of Redis is waited out."""
    try:
        settings = Settings.from_env(os.environ)
        logs.set_up_logging(settings.log_format)
        base = bootstrap.worker(settings, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    stop = _stop_on_signal()
    services = WorkerServices(
        decider=decide.build(
            base.config,
            base.pins,
            base.snapshot,
            base.recent_cooldowns,
            base.tracing,
            budgets=base.budgets,
            drains=base.recent_drains,
            outgoing=base.outgoing,
        ),
        refresher=Refresher(
            base.config.sources,
            base.metrics,
            Fetch(outgoing=base.outgoing),
            averages=base.latencies,
            routes=base.config.routes,
        ),
    )
    for each in base.background:
        each.start()
    router = base.config.router.url if base.config.router else "embedded"
    log.info("worker started", extra=fields(concurrency=settings.worker_concurrency, router=router))
    repeat(PAUSE_S, lambda: _work(services, base, settings.worker_concurrency, stop), "worker", stop)
    for each in base.background:
        each.stop()
    log.info("worker stopped")
    return 0


def _work(services: WorkerServices, base: WorkerBase, concurrency: int, stop: threading.Event) -> None:
    """Do jobs until the event is set, or until RQ ends the worker because of an error."""
    try:
        PoolWorker(services, base.queue_redis, concurrency, stop).work(logging_level="WARNING")
    except redis.RedisError as error:
        log.debug("the queue is away: %s", type(error).__name__)  # the breaker has logged it already


def _stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set. The process ends DRAIN_S + 1 seconds later, even if something hangs."""
    stop = threading.Event()

    def end() -> None:
        stop.set()
        threading.Event().wait(DRAIN_S + 1)
        os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, end)
    return stop


if __name__ == "__main__":
    sys.exit(main())
