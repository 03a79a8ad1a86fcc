"""The worker's own loop, where an outage of Redis must not end it."""

import threading
from pathlib import Path
from typing import Any

from shared.store.connection.endpoint import RedisEndpoint
from tests.endpoints import serving
from tests.harness import RedisServer
from workers.pool import PoolWorker


def worker_of(endpoint: RedisEndpoint) -> PoolWorker:
    without_services: Any = None
    return PoolWorker(without_services, endpoint, 1, threading.Event())


def test_a_heartbeat_that_redis_does_not_take_is_left_out(tmp_path: Path) -> None:
    """RQ's loop would end, and with it what has been fetched and not begun."""
    server = RedisServer(tmp_path).start()
    with serving(server.url) as endpoint:
        worker = worker_of(endpoint)
        server.stop()

        worker.heartbeat()
        worker._beat()
