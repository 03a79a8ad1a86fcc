"""Clients of a Redis and queues on it, as a process of the pool would have them."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from shared.job_messages import DecisionRequest, DecisionResult
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.store_client import StoreClient
from shared.store.queue import DecisionQueue
from tests.endpoints import PATIENT_S, Replica, connected, replica_on, serving
from tests.fakes.delay import SlowProxy
from tests.greenlets import Play, in_greenlets, in_threads
from tests.harness import RedisServer
from tests.store.queueing import BUDGET_S, MANY, Ask, NewQueue

NewEndpoint = Callable[..., RedisEndpoint]
NewReplica = Callable[..., Replica]


@pytest.fixture
def client(redis_server: RedisServer, store: redis.Redis) -> Iterator[StoreClient]:  # noqa: ARG001 - empty
    """A client of the run's Redis, which is empty."""
    with connected(redis_server.url) as made:
        yield made


@pytest.fixture
def new_endpoint() -> Iterator[NewEndpoint]:
    """Makes endpoints that are connected and watched; they are closed at the end."""
    with contextlib.ExitStack() as made:
        yield lambda url, **options: made.enter_context(serving(url, **options))


@pytest.fixture
def new_replica() -> Iterator[NewReplica]:
    """Makes replicas that serve, and are patient; they are ended at the end."""
    with contextlib.ExitStack() as made:
        yield lambda url, **options: made.enter_context(replica_on(url, **({"silence_s": PATIENT_S} | options)))


@pytest.fixture(params=[in_threads, in_greenlets], ids=["threads", "greenlets"])
def play(request: pytest.FixtureRequest) -> Play:
    """Plays a scene of the test's module, once among threads and once among greenlets."""
    played: Play = request.param
    return played


@pytest.fixture(scope="module")
def server_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Where a test's own Redis lives."""
    server = RedisServer(Path(tmp_path_factory.mktemp("own-redis")))
    yield server
    server.stop()


@pytest.fixture
def own_server(server_of_module: RedisServer) -> Iterator[RedisServer]:
    """An empty Redis that a test may freeze or kill."""
    yield server_of_module.start()
    server_of_module.stop()


@pytest.fixture
def slow(own_server: RedisServer) -> Iterator[SlowProxy]:
    """The way to that Redis, which can be made longer."""
    proxy = SlowProxy(own_server.socket)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def replicas(redis_server: RedisServer) -> Iterator[list[Replica]]:
    """Two replicas; they stand for as long as their processes live."""
    with (
        replica_on(redis_server.url, silence_s=PATIENT_S) as first,
        replica_on(redis_server.url, silence_s=PATIENT_S) as second,
    ):
        yield [first, second]


@pytest.fixture
def new_queue(store: redis.Redis, replicas: list[Replica]) -> NewQueue:  # noqa: ARG001 - empty
    """Makes the queue as the first or the second replica sees it."""

    def make(replica: int = 0, limit: int = MANY) -> DecisionQueue:
        return replicas[replica].queue(limit)

    return make


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks in a thread of its own."""
    with ThreadPoolExecutor(MANY) as pool:

        def begin(
            queue: DecisionQueue, asked: DecisionRequest, budget_s: float = BUDGET_S
        ) -> "Future[DecisionResult]":
            return pool.submit(queue.ask, asked, budget_s)

        yield begin
