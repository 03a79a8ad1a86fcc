"""How many sessions a client may begin in a minute, in Redis and in the memory of one process."""

from collections.abc import Callable, Iterator

import fakeredis
import pytest
import redis

from shared.errors import StoreDown, TooManySessions
from shared.memory.new_session_limit import MemoryNewSessionLimit
from shared.routing.ports import SessionLimit
from shared.store.connection.store_client import StoreClient
from shared.store.new_session_limit import NewSessionLimit
from tests.endpoints import endpoint_to

LimitOf = Callable[[int], SessionLimit]


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.now = 600.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["redis", "fakeredis", "memory"])
def limit_of(request: pytest.FixtureRequest, clock: Clock) -> Iterator[LimitOf]:
    """Each call is another replica, where there can be several."""
    if request.param == "redis":
        client: StoreClient = request.getfixturevalue("client")
        yield lambda limit: NewSessionLimit(client, limit, clock)
    elif request.param == "fakeredis":
        with fakeredis.FakeRedis(protocol=2) as played:
            yield lambda limit: NewSessionLimit(played, limit, clock)
    else:
        yield lambda limit: MemoryNewSessionLimit(limit, clock)


def admitted(session_limit: SessionLimit, client: str, tries: int) -> int:
    """How many of so many new sessions may begin."""
    count = 0
    for _ in range(tries):
        try:
            session_limit.admit(client)
        except TooManySessions:
            continue
        count += 1
    return count


def test_a_client_may_begin_so_many_sessions_a_minute(limit_of: LimitOf, clock: Clock) -> None:
    session_limit = limit_of(3)

    first = admitted(session_limit, "acme", 5)
    clock.now += 60
    then = admitted(session_limit, "acme", 5)

    assert (first, then) == (3, 3)


def test_a_session_that_could_not_be_pinned_is_not_counted(limit_of: LimitOf) -> None:
    session_limit = limit_of(2)

    for _ in range(5):
        session_limit.admit("acme")
        session_limit.give_back("acme")

    assert admitted(session_limit, "acme", 3) == 2


def test_each_client_has_its_own(limit_of: LimitOf) -> None:
    session_limit = limit_of(2)

    assert [admitted(session_limit, client, 3) for client in ("acme", "10", "10.0.0.1")] == [2, 2, 2]


def test_the_refusal_says_when_to_come_again(limit_of: LimitOf, clock: Clock) -> None:
    session_limit = limit_of(1)
    session_limit.admit("acme")
    clock.now = 658.9

    with pytest.raises(TooManySessions, match="More than 1 new sessions") as caught:
        session_limit.admit("acme")

    assert caught.value.retry_after_s == 2


def test_zero_is_no_limit(limit_of: LimitOf) -> None:
    assert admitted(limit_of(0), "acme", 9) == 9


def test_replicas_count_together(client: StoreClient, store: redis.Redis, clock: Clock) -> None:
    first, second = (NewSessionLimit(client, 4, clock) for _ in range(2))

    assert [admitted(first, "a:b", 3), admitted(second, "a:b", 3)] == [3, 1]
    assert 0 < store.ttl("plano:sessions:a%3Ab:10") <= 120


def test_no_limit_asks_nobody(client: StoreClient, store: redis.Redis) -> None:
    NewSessionLimit(client, 0).admit("acme")

    assert store.keys("plano:sessions:*") == []


def test_when_redis_is_away_that_is_said() -> None:
    """The session cannot be pinned then, either: who asks serves it without, and waits for nothing more."""
    session_limit = NewSessionLimit(endpoint_to("unix:///nowhere").client(StoreDown), 1)

    with pytest.raises(StoreDown):
        session_limit.admit("acme")


def test_without_a_limit_nothing_is_kept_of_clients() -> None:
    session_limit = MemoryNewSessionLimit(0)

    session_limit.give_back("acme")

    assert not session_limit._begun
