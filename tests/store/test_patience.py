"""How long Redis is waited for: by one wait, and by a request in all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.connection import AbstractConnection

from shared.store import connections
from shared.store.patience import Patience, unread
from tests.harness import RedisServer, wait_until

LOOK_S = 0.01
LIMIT_S = 15 * LOOK_S
NEVER = 10**9


class Wait:
    """Something that is waited for, in a time that passes only here."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def arriving(self, after_s: float, look_takes_s: float = 0.0) -> Callable[[float], bool]:
        """Arrives after so long; each look takes longer than it should while this process is busy."""
        due = self.now + after_s

        def arrives(timeout_s: float) -> bool:
            asleep_until = self.now + max(timeout_s, look_takes_s)
            self.now = max(self.now, min(due, asleep_until)) if not look_takes_s else asleep_until
            return self.now >= due - 1e-9

        return arrives


@pytest.fixture
def wait() -> Wait:
    return Wait()


@pytest.fixture
def patience(wait: Wait) -> Patience:
    """As a web process has it."""
    return Patience(LIMIT_S, 0.075, wait.clock)


def silent() -> bool:
    """Redis owes an answer whenever one looks."""
    return True


def test_what_comes_at_once_costs_nothing(patience: Patience, wait: Wait) -> None:
    patience.begin()

    assert patience.wait(wait.arriving(0), silent) == 0
    assert not patience.spent()


def test_a_silence_is_measured_as_it_was(patience: Patience, wait: Wait) -> None:
    assert patience.wait(wait.arriving(0.037), silent) == pytest.approx(0.037)


def test_no_silence_is_longer_than_the_limit(patience: Patience, wait: Wait) -> None:
    with pytest.raises(redis.TimeoutError):
        patience.wait(wait.arriving(NEVER), silent)

    assert wait.now - 1000 == pytest.approx(LIMIT_S, abs=LOOK_S)


def test_connecting_may_take_longer(patience: Patience, wait: Wait) -> None:
    assert patience.wait(wait.arriving(0.24), silent, connecting=True) == pytest.approx(0.24)

    with pytest.raises(redis.TimeoutError):
        patience.wait(wait.arriving(0.28), silent, connecting=True)


def test_an_answer_that_waits_to_be_read_is_not_late(patience: Patience, wait: Wait) -> None:
    """This process was busy for half a second; Redis was not slow."""
    patience.begin()

    assert patience.wait(wait.arriving(0.5, look_takes_s=0.2), lambda: False) == 0
    assert not patience.spent()


def test_a_silence_counts_from_when_redis_was_asked(patience: Patience, wait: Wait) -> None:
    """The question itself may have waited for this process."""
    asked_at = wait.now + 0.4

    took_s = patience.wait(wait.arriving(0.45), lambda: wait.now >= asked_at)

    assert took_s == pytest.approx(0.05, abs=2 * LOOK_S)


def test_a_wait_has_an_end_however_busy_this_process_is(patience: Patience, wait: Wait) -> None:
    with pytest.raises(redis.TimeoutError):
        patience.wait(wait.arriving(NEVER), lambda: False)

    assert wait.now - 1000 == pytest.approx(5 * LIMIT_S, abs=LOOK_S)


def test_a_request_adds_up_its_waits(patience: Patience, wait: Wait) -> None:
    patience.begin()
    seen = []

    for _ in range(3):
        patience.wait(wait.arriving(0.03), silent)
        seen.append(patience.spent())

    assert seen == [False, False, True]


def test_a_wait_in_vain_counts_as_well(patience: Patience, wait: Wait) -> None:
    patience.begin()

    with pytest.raises(redis.TimeoutError):
        patience.wait(wait.arriving(NEVER), silent)

    assert patience.spent()


def test_the_next_request_of_a_connection_has_all_of_its_time(patience: Patience, wait: Wait) -> None:
    patience.begin()
    patience.wait(wait.arriving(0.1), silent)

    patience.begin()

    assert not patience.spent()


def test_requests_do_not_share_their_time(patience: Patience, wait: Wait) -> None:
    patience.begin()
    patience.wait(wait.arriving(0.1), silent)

    def other() -> bool:
        patience.begin()
        return patience.spent()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(other).result() is False
    assert patience.spent()


def test_where_there_is_no_request_nothing_is_spent(patience: Patience, wait: Wait) -> None:
    """Loops in the background go on asking."""
    for _ in range(5):
        patience.wait(wait.arriving(0.1), silent)

    assert not patience.spent()


def test_what_has_arrived_is_seen_until_it_is_read(redis_server: RedisServer) -> None:
    pool = connections.pool(redis_server.url, answer_s=5, verify_tls=True)
    connection: AbstractConnection = pool.connection_class(**pool.connection_kwargs)
    seen = [unread(connection)]

    connection.connect()
    seen.append(unread(connection))
    connection.send_command("PING")
    wait_until(lambda: unread(connection), what="the answer")
    connection.read_response()
    seen.append(unread(connection))
    connection.disconnect()
    seen.append(unread(connection))

    assert seen == [False] * 4
