"""The worker's own loop, where an outage of Redis must not end it."""

import threading
from pathlib import Path
from typing import Any

from shared.job_messages import DECIDE
from shared.store.connection.endpoint import RedisEndpoint
from tests.endpoints import serving
from tests.harness import RedisServer
from workers.pool import PoolWorker


def worker_of(endpoint: RedisEndpoint) -> PoolWorker:
    without_services: Any = None
    return PoolWorker(without_services, endpoint, 1, threading.Event())


def test_jobs_that_were_taken_are_run_though_the_worker_is_to_stop(tmp_path: Path) -> None:
    """Their askers would wait in vain: nobody else takes what has left the queue."""
    server, stop = RedisServer(tmp_path).start(), threading.Event()
    without_services: Any = None
    with serving(server.url) as endpoint:
        worker = PoolWorker(without_services, endpoint, 4, stop)
        for n in range(3):
            worker.queues[0].enqueue_call(DECIDE, args=({},), job_id=f"j{n}", timeout=5)

        first = worker.dequeue_job_and_maintain_ttl(None)
        stop.set()
        others = [worker.dequeue_job_and_maintain_ttl(None) for _ in range(3)]
    server.stop()

    assert [taken and taken[0].id for taken in (first, *others)] == ["j0", "j1", "j2", None]


def test_a_heartbeat_that_redis_does_not_take_is_left_out(tmp_path: Path) -> None:
    """RQ's loop would end, and with it what has been fetched and not begun."""
    server = RedisServer(tmp_path).start()
    with serving(server.url) as endpoint:
        worker = worker_of(endpoint)
        server.stop()

        worker.heartbeat()
        worker._beat()
