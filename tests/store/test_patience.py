"""How long Redis is waited for: by one wait, and by a request in all."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.store.patience import Patience

LOOK_S = 0.01
LIMIT_S, REQUEST_S = 15 * LOOK_S, 0.06
NEVER = 10**9


class Time:
    """A time that passes only here, while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now


class Question:
    """What is waited for: it goes out after `out_s` seconds, and is answered after `after_s`.

    `busy_s` says for each of the first looks how long this process is busy in it.
    """

    def __init__(self, time: Time, after_s: float, *, out_s: float = 0, busy_s: Sequence[float] = ()) -> None:
        self._time = time
        self._due = time.now + after_s
        self._out = time.now + out_s
        self._busy_s = list(busy_s)

    @property
    def asked_at(self) -> float | None:
        return self._out if self._time.now >= self._out else None

    def is_set(self) -> bool:
        return self._time.now >= self._due - 1e-9

    def wait(self, timeout: float) -> bool:
        busy_s = self._busy_s.pop(0) if self._busy_s else 0
        awake = self._time.now + max(timeout, busy_s)
        self._time.now = max(self._time.now, awake if busy_s else min(self._due, awake))
        return self.is_set()


class Unread(Question):
    """Its answer comes while this process is busy, and is read only when others have had their turn."""

    _read = False

    def is_set(self) -> bool:
        return self._read and super().is_set()

    def wait(self, timeout: float) -> bool:
        self._read = not any(self._busy_s[:1])
        return super().wait(timeout)


class JustMissed(Question):
    """Its answer comes between the first look and the next."""

    def wait(self, timeout: float) -> bool:
        super().wait(timeout)
        return False


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def patience(time: Time) -> Patience:
    """As a web process has it."""
    return Patience(LIMIT_S, REQUEST_S, time.clock)


def waited(patience: Patience, question: Question) -> float:
    """What a request has waited that asks nothing else, in seconds."""
    patience.begin()
    patience.wait(question)
    assert patience._waited.seconds is not None
    return patience._waited.seconds


@pytest.mark.parametrize("after_s", [0, 0.003, 0.037])
def test_a_wait_is_measured_as_it_was(patience: Patience, time: Time, after_s: float) -> None:
    assert waited(patience, Question(time, after_s)) == pytest.approx(after_s)


def test_no_wait_is_longer_than_the_limit(patience: Patience, time: Time) -> None:
    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER))

    assert time.now - 1000 == pytest.approx(LIMIT_S, abs=0.002)


@pytest.mark.parametrize("kind", [Question, Unread])
@pytest.mark.parametrize(("after_s", "busy_s", "looks"), [(0.003, [0.5], 1), (0.015, [0, 0.5], 2)])
def test_of_a_pause_of_this_process_no_more_counts_than_a_look(
    patience: Patience, time: Time, kind: type[Question], after_s: float, busy_s: list[float], looks: int
) -> None:
    """Nobody can tell when in that half second the answer came."""
    assert waited(patience, kind(time, after_s, busy_s=busy_s)) == pytest.approx(looks * LOOK_S)


def test_a_pause_of_this_process_counts_when_there_is_no_answer_even_then(patience: Patience, time: Time) -> None:
    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER, busy_s=[LIMIT_S]))

    assert time.now - 1000 == pytest.approx(LIMIT_S, abs=0.002)


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_an_answer_that_came_in_the_moment_of_looking_is_not_late(patience: Patience, time: Time, looks: int) -> None:
    assert waited(patience, JustMissed(time, looks * LOOK_S)) == pytest.approx(looks * LOOK_S)


def test_a_silence_counts_from_when_redis_was_asked(patience: Patience, time: Time) -> None:
    """The question itself may have waited for this process."""
    assert waited(patience, Question(time, 0.45, out_s=0.404)) == pytest.approx(0.046)


def test_who_joins_a_question_waits_from_then_on(patience: Patience, time: Time) -> None:
    assert waited(patience, Question(time, 0.05, out_s=-LIMIT_S)) == pytest.approx(0.05)


def test_what_asking_took_is_part_of_the_wait(patience: Patience, time: Time) -> None:
    """Whoever asks may have to wait for room."""
    patience.begin()
    time.now += LIMIT_S - 0.02

    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER), since=1000)

    assert time.now - 1000 == pytest.approx(LIMIT_S, abs=0.002)
    assert patience._waited.seconds == pytest.approx(LIMIT_S, abs=0.002)


def test_a_wait_has_an_end_however_busy_this_process_is(patience: Patience, time: Time) -> None:
    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER, out_s=NEVER))

    assert time.now - 1000 == pytest.approx(5 * LIMIT_S, abs=2 * LOOK_S)


@pytest.mark.parametrize("after_s", [0.001, 0.009, 0.013, 0.03])
def test_a_request_adds_up_its_waits(patience: Patience, time: Time, after_s: float) -> None:
    """However quick each answer is; and one that never comes is the last one."""
    patience.begin()
    began = time.now

    while not patience.spent():
        patience.wait(Question(time, after_s))
    last_began = time.now
    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER))

    assert REQUEST_S <= last_began - began + 1e-9 < REQUEST_S + after_s + 1e-6
    assert time.now - began < REQUEST_S + LIMIT_S + after_s + 0.002


@pytest.mark.parametrize("busy_s", [0, 0.5])
def test_a_request_asks_as_often_as_it_needs_to(patience: Patience, time: Time, busy_s: float) -> None:
    """A first request that fails over asks six times, and this process may be busy each time it does."""
    patience.begin()

    for _ in range(6):
        assert not patience.spent()
        patience.wait(Question(time, 0.001, busy_s=[busy_s]))


def test_what_somebody_else_found_out_counts(patience: Patience) -> None:
    patience.begin()

    patience.note(REQUEST_S)

    assert patience.spent()


def test_a_wait_in_vain_counts_as_well(patience: Patience, time: Time) -> None:
    patience.begin()

    with pytest.raises(redis.TimeoutError):
        patience.wait(Question(time, NEVER))

    assert patience.spent()


def test_the_next_request_of_a_connection_has_all_of_its_time(patience: Patience, time: Time) -> None:
    patience.begin()
    patience.wait(Question(time, 0.1))

    patience.begin()

    assert not patience.spent()


def test_requests_do_not_share_their_time(patience: Patience, time: Time) -> None:
    patience.begin()
    patience.wait(Question(time, 0.1))

    def other() -> bool:
        patience.begin()
        return patience.spent()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(other).result() is False
    assert patience.spent()


def test_where_there_is_no_request_nothing_is_spent(patience: Patience, time: Time) -> None:
    """Loops in the background go on asking."""
    for _ in range(5):
        patience.wait(Question(time, 0.1))

    assert not patience.spent()
