"""A Redis as a process of the pool reaches it, for tests that have its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import QueueDown, StoreDown
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.store_client import StoreClient
from shared.store.jobs.results import Results
from shared.store.pins import PinStore
from shared.store.queue import DecisionQueue

CONNECTIONS = 6
PATIENT_S = 5.0
"""For tests that have nothing to do with silence: a machine that runs all of them at once may pause for longer."""


def endpoint_to(url: str, **options: Any) -> RedisEndpoint:
    """As a process makes it, not yet started."""
    usual: dict[str, Any] = {"name": "redis", "connections": CONNECTIONS, "silence_s": 0.25}
    return RedisEndpoint(url, **(usual | options))


@contextmanager
def serving(url: str, **options: Any) -> Iterator[RedisEndpoint]:
    """Connected and watched, as in a process that serves; closed at the end."""
    endpoint = endpoint_to(url, **options)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()


@contextmanager
def connected(url: str) -> Iterator[StoreClient]:
    """A client for pins and all else that a store holds."""
    with serving(url, silence_s=PATIENT_S) as endpoint:
        yield endpoint.client(StoreDown)


class Replica:
    """What a web process has decisions made with."""

    def __init__(self, url: str, **options: Any) -> None:
        self.endpoint = endpoint_to(url, **options)
        self.results = Results(self.endpoint.subscription_pool())
        self.pins = PinStore(self.endpoint.client(StoreDown))

    def queue(self, limit: int = 300) -> DecisionQueue:
        """Asks, and hears the results of this process."""
        return DecisionQueue(self.endpoint.client(QueueDown), self.results, self.pins, limit=limit)

    def start(self) -> None:
        """Begin to serve."""
        self.endpoint.start()
        self.results.start()

    def stop(self) -> None:
        """End."""
        self.results.stop()
        self.endpoint.stop()


@contextmanager
def replica_on(url: str, **options: Any) -> Iterator[Replica]:
    """A replica that serves; ended at the end."""
    replica = Replica(url, **options)
    replica.start()
    try:
        yield replica
    finally:
        replica.stop()
