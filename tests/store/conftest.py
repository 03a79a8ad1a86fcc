"""Links to a Redis, as a process of the pool would have them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import StoreDown
from shared.store.link import Link
from tests.harness import RedisServer

ANSWER_S, TURN_S = 0.15, 0.06

NewLink = Callable[..., Link]


@pytest.fixture(scope="session")
def new_link() -> Iterator[NewLink]:
    """Makes links to a Redis at an address; they are closed at the end."""
    with contextlib.ExitStack() as open_pools:

        def make(url: str, width: int = 4, turn_s: float = TURN_S, answer_s: float = ANSWER_S, spare: int = 0) -> Link:
            pool = redis.ConnectionPool.from_url(
                url, max_connections=width + spare, socket_timeout=answer_s, retry=Retry(NoBackoff(), 0), protocol=2
            )
            open_pools.callback(pool.disconnect)
            return Link(redis.Redis(connection_pool=pool), "pins", StoreDown, width=width, patience_s=turn_s)

        yield make


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a test may freeze or kill."""
    server = RedisServer(Path(tmp_path_factory.mktemp("own-redis")))
    yield server
    server.stop()
