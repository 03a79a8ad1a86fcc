"""Links to a Redis and queues on it, as a process of the pool would have them."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.contract import Order, Verdict
from shared.errors import QueueDown
from shared.store.link import Link
from shared.store.queue import DecisionQueue
from shared.store.replies import Replies
from tests.fakes.delay import SlowProxy
from tests.harness import RedisServer, wait_until
from tests.links import link_to
from tests.store.queueing import BUDGET_S, MANY, Ask, NewQueue, channels

ANSWER_S = 0.15
"""As long as in a web process."""

NewLink = Callable[..., Link]


@pytest.fixture
def new_link() -> Iterator[NewLink]:
    """Makes links; they are closed at the end."""
    with contextlib.ExitStack() as made:

        def make(url: str, **options: Any) -> Link:
            link = link_to(url, **({"answer_s": ANSWER_S} | options))
            made.callback(link.pipe.close)
            return link

        yield make


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a test may freeze or kill."""
    server = RedisServer(Path(tmp_path_factory.mktemp("own-redis")))
    yield server
    server.stop()


@pytest.fixture
def slow(own_server: RedisServer) -> Iterator[SlowProxy]:
    """The way to that Redis, which can be made longer."""
    own_server.start()
    proxy = SlowProxy(own_server.socket)
    yield proxy
    proxy.close()
    own_server.stop()


@pytest.fixture(scope="module")
def replies(redis_server: RedisServer) -> Iterator[list[Replies]]:
    """Two replicas' subscriptions; they stand for as long as their processes live."""
    links = [link_to(redis_server.url, answer_s=10) for _ in range(2)]
    yield [Replies(link) for link in links]
    for link in links:
        link.pipe.close()


@pytest.fixture
def new_queue(store: redis.Redis, replies: list[Replies]) -> NewQueue:
    """Makes the queue as the first or the second replica sees it."""

    def make(replica: int = 0, limit: int = MANY) -> DecisionQueue:
        return DecisionQueue(replies[replica]._link, replies[replica], limit=limit)

    wait_until(lambda: channels(store) == 0, what="the end of the last test's subscriptions")
    return make


@pytest.fixture
def own_queue(own_server: RedisServer, new_link: NewLink) -> Iterator[DecisionQueue]:
    """The queue of a replica whose Redis may be frozen or ended."""
    own_server.start()
    link = new_link(own_server.url, error=QueueDown)
    yield DecisionQueue(link, Replies(link), limit=9)
    own_server.stop()


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks in a thread of its own."""
    with ThreadPoolExecutor(MANY) as pool:

        def begin(queue: DecisionQueue, asked: Order, budget_s: float = BUDGET_S) -> "Future[Verdict]":
            return pool.submit(queue.ask, asked, budget_s)

        yield begin
