"""One Redis as a process reaches it: its connections, its circuit breaker and its failure detector."""

import contextlib

import redis

from shared.errors import Away
from shared.store.client import FairPool, pool
from shared.store.connection.breaker import Breaker
from shared.store.connection.failure_detector import FailureDetector
from shared.store.connection.store_client import StoreClient


class RedisEndpoint:
    """A pool of connections with its circuit breaker and failure detector."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        connections: int,
        silence_s: float,
        blocks_s: float = 0.0,
        verify_tls: bool = True,
    ) -> None:
        """At most `connections`, and one more for the detector once it is started. No socket is opened yet.

        `name` says in the log which Redis this is; `blocks_s` is how long its blocking commands wait.
        """
        self._url = url
        self._silence_s = silence_s
        self._verify_tls = verify_tls
        self.breaker = Breaker(name)
        self.pool = self._another_pool(connections)
        self.detector = FailureDetector(self.pool, silence_s, blocks_s=blocks_s)

    def client(self, error: type[Away]) -> StoreClient:
        """A client that raises errors of this kind; all clients share the connections."""
        return StoreClient(self.pool, error)

    def subscription_pool(self) -> FairPool:
        """A pool of one further connection, for a subscription."""
        return self._another_pool(1)

    def start(self) -> None:
        """Begin to watch Redis, and open the connections, if it answers."""
        self.detector.start()
        with contextlib.suppress(redis.RedisError):
            self.pool.connect_all()

    def stop(self) -> None:
        """Close every connection."""
        self.detector.stop()
        self.pool.disconnect()

    def _another_pool(self, connections: int) -> FairPool:
        return pool(
            self._url,
            self.breaker,
            connections=connections,
            silence_s=self._silence_s,
            verify_tls=self._verify_tls,
        )
