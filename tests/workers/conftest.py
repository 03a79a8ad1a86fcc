"""A client of the run's Redis, as a worker has it."""

from collections.abc import Iterator

import pytest
import redis

from shared.store.connection.store_client import StoreClient
from tests.endpoints import connected
from tests.harness import RedisServer


@pytest.fixture
def client(redis_server: RedisServer, store: redis.Redis) -> Iterator[StoreClient]:  # noqa: ARG001 - empty
    """The Redis is empty."""
    with connected(redis_server.url) as made:
        yield made
