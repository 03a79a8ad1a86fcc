"""Background work goes on, whatever happens in it."""

import logging
import threading

import pytest

from shared.periodic import Periodic, repeat
from tests.harness import wait_until


class Failing:
    """Raises another error each time."""

    def __init__(self) -> None:
        self.rounds = 0

    def run(self) -> None:
        self.rounds += 1
        raise (ValueError, RecursionError, UnicodeError, KeyError, MemoryError)[self.rounds % 5]


def test_a_round_that_fails_is_logged_once_a_minute_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    rounds = Periodic(0.0, failing.run, "failing")

    with caplog.at_level(logging.ERROR, "plano.background"):
        rounds.start()
        wait_until(lambda: failing.rounds > 100, what="more rounds")
        rounds.stop()

    assert [record.getMessage() for record in caplog.records] == ["a round of failing failed"]
    assert caplog.records[0].exc_info


def test_what_is_repeated_in_a_thread_of_ones_own_ends_when_it_is_told() -> None:
    stopped, seen = threading.Event(), list[int]()

    def run() -> None:
        seen.append(1)
        if len(seen) == 3:
            stopped.set()

    repeat(0.0, run, "three", stopped)

    assert len(seen) == 3
