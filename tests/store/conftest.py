"""Links to a Redis, as a process of the pool would have them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import StoreDown
from shared.store.link import Link
from shared.store.pipe import Pipe
from tests.harness import RedisServer

ANSWER_S, TURN_S = 0.15, 0.06

NewLink = Callable[..., Link]


def link_to(url: str, width: int = 4, turn_s: float = TURN_S, answer_s: float = ANSWER_S, spare: int = 0) -> Link:
    """A link of so many connections and a pipe, with limits as short as those of a web process."""
    pool = redis.ConnectionPool.from_url(
        url, max_connections=width + spare, socket_timeout=answer_s, retry=Retry(NoBackoff(), 0), protocol=2
    )
    client = redis.Redis(connection_pool=pool)
    return Link(client, "pins", StoreDown, width=width, patience_s=turn_s, pipe=Pipe(client, answer_s))


@pytest.fixture
def new_link() -> Iterator[NewLink]:
    """Makes links; they are closed at the end."""
    with contextlib.ExitStack() as made:

        def make(url: str, **limits: Any) -> Link:
            link = link_to(url, **limits)
            assert link.pipe
            made.callback(link.client.connection_pool.disconnect)
            made.callback(link.pipe.close)
            return link

        yield make


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a test may freeze or kill."""
    server = RedisServer(Path(tmp_path_factory.mktemp("own-redis")))
    yield server
    server.stop()
