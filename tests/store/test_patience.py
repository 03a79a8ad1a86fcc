"""How long Redis is waited for: by one wait, and by a request in all."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.store.patience import Patience

LOOK_S = 0.02
LIMIT_S = 7 * LOOK_S
NEVER = 10**9


class Time:
    """A time that passes only here, while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now


class Question:
    """What is waited for: it goes out after `out_s` seconds, and is answered after `after_s`.

    Each look takes `look_takes_s`, if that is longer than it should: this process is busy.
    """

    def __init__(self, time: Time, after_s: float, *, out_s: float = 0, look_takes_s: float = 0) -> None:
        self._time = time
        self._due = time.now + after_s
        self._out = time.now + out_s
        self._look_takes_s = look_takes_s

    @property
    def asked_at(self) -> float | None:
        return self._out if self._time.now >= self._out else None

    def is_set(self) -> bool:
        return self._time.now >= self._due - 1e-9

    def wait(self, timeout: float) -> bool:
        awake = self._time.now + max(timeout, self._look_takes_s)
        self._time.now = max(self._time.now, awake if self._look_takes_s else min(self._due, awake))
        return self.is_set()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def patience(time: Time) -> Patience:
    """As a web process has it."""
    return Patience(LIMIT_S, 0.075, time.clock)


def waited(patience: Patience, question: Question, *, connecting: bool = False) -> float:
    """As those do who wait."""
    return 0 if question.wait(patience.look_s) else patience.outlast(question, connecting=connecting)


def test_what_comes_at_once_costs_nothing(patience: Patience, time: Time) -> None:
    patience.begin()

    assert waited(patience, Question(time, 0)) == 0
    assert not patience.spent()


def test_a_silence_is_measured_as_it_was(patience: Patience, time: Time) -> None:
    assert waited(patience, Question(time, 0.037)) == pytest.approx(0.037)


def test_no_silence_is_longer_than_the_limit(patience: Patience, time: Time) -> None:
    with pytest.raises(redis.TimeoutError):
        waited(patience, Question(time, NEVER))

    assert time.now - 1000 == pytest.approx(LIMIT_S, abs=0.002)


def test_connecting_may_take_longer(patience: Patience, time: Time) -> None:
    assert waited(patience, Question(time, 0.2), connecting=True) == pytest.approx(0.2)

    with pytest.raises(redis.TimeoutError):
        waited(patience, Question(time, 0.24), connecting=True)


def test_of_a_pause_of_this_process_no_more_counts_than_a_look(patience: Patience, time: Time) -> None:
    """Nobody can tell when in that half second the answer came."""
    time.now += LOOK_S
    question = Question(time, 0.01, out_s=-LOOK_S, look_takes_s=0.5)

    assert patience.outlast(question) == pytest.approx(2 * LOOK_S)


def test_an_answer_that_came_in_the_moment_of_looking_costs_nothing(patience: Patience, time: Time) -> None:
    patience.begin()

    assert patience.outlast(Question(time, 0)) == 0
    assert not patience.spent()


def test_a_silence_counts_from_when_redis_was_asked(patience: Patience, time: Time) -> None:
    """The question itself may have waited for this process."""
    assert waited(patience, Question(time, 0.45, out_s=0.4)) == pytest.approx(0.05)


def test_who_joins_a_question_waits_from_then_on(patience: Patience, time: Time) -> None:
    patience.begin()

    assert waited(patience, Question(time, 0.05, out_s=-LIMIT_S)) == pytest.approx(0.05)


def test_a_wait_has_an_end_however_busy_this_process_is(patience: Patience, time: Time) -> None:
    with pytest.raises(redis.TimeoutError):
        waited(patience, Question(time, NEVER, out_s=NEVER))

    assert time.now - 1000 == pytest.approx(5 * LIMIT_S, abs=2 * LOOK_S)


def test_a_request_adds_up_its_waits(patience: Patience, time: Time) -> None:
    patience.begin()
    seen = []

    for _ in range(3):
        waited(patience, Question(time, 0.03))
        seen.append(patience.spent())

    assert seen == [False, False, True]


def test_a_wait_in_vain_counts_as_well(patience: Patience, time: Time) -> None:
    patience.begin()

    with pytest.raises(redis.TimeoutError):
        waited(patience, Question(time, NEVER))

    assert patience.spent()


def test_the_next_request_of_a_connection_has_all_of_its_time(patience: Patience, time: Time) -> None:
    patience.begin()
    waited(patience, Question(time, 0.1))

    patience.begin()

    assert not patience.spent()


def test_requests_do_not_share_their_time(patience: Patience, time: Time) -> None:
    patience.begin()
    waited(patience, Question(time, 0.1))

    def other() -> bool:
        patience.begin()
        return patience.spent()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(other).result() is False
    assert patience.spent()


def test_where_there_is_no_request_nothing_is_spent(patience: Patience, time: Time) -> None:
    """Loops in the background go on asking."""
    for _ in range(5):
        waited(patience, Question(time, 0.1))

    assert not patience.spent()
