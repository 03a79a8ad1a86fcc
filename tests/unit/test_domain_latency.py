"""The average in which what is old counts less."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.latency import NEVER, Average, Sample, folded

HALF_LIFE_S = 300
SECONDS = st.floats(min_value=0.001, max_value=1000)


def after(*answers: tuple[float, float]) -> Average:
    """The average after answers, each with its time."""
    average = NEVER
    for now_s, waited_s in answers:
        average = average.plus(Sample(waited_s, 1), now_s, HALF_LIFE_S)
    return average


def test_of_one_answer_it_is_that() -> None:
    assert after((1000, 0.4)).value == pytest.approx(0.4)


def test_answers_of_one_moment_weigh_the_same() -> None:
    assert after((1000, 0.2), (1000, 0.4), (1000, 0.9)).value == pytest.approx(0.5)


def test_after_a_half_life_an_answer_counts_half() -> None:
    """(0.5 * 0.9 + 0.3) / 1.5."""
    assert after((1000, 0.9), (1000 + HALF_LIFE_S, 0.3)).value == pytest.approx(0.5)


def test_after_two_half_lives_it_counts_a_quarter() -> None:
    """(0.25 * 0.9 + 0.4) / 1.25."""
    assert after((1000, 0.9), (1000 + 2 * HALF_LIFE_S, 0.4)).value == pytest.approx(0.5)


def test_silence_changes_nothing() -> None:
    """There is nothing new to know: only the age tells that it is old."""
    once = after((1000, 0.4), (1010, 0.6))
    later = once.plus(Sample(), 5000, HALF_LIFE_S)

    assert later.value == pytest.approx(once.value)


def test_a_long_silence_leaves_nothing_of_what_was_before() -> None:
    assert after((0, 9.0), (1e9, 0.3)).value == pytest.approx(0.3)


def test_a_clock_that_was_set_back_makes_nothing_heavier() -> None:
    assert after((1000, 0.2), (400, 0.4)).value == pytest.approx(0.3)


def test_many_answers_at_once_are_as_many_one_by_one() -> None:
    """So that a process may collect them for a second."""
    one_by_one = after((1000, 0.1), (1060, 0.2), (1060, 0.6))
    collected = after((1000, 0.1)).plus(Sample(0.8, 2), 1060, HALF_LIFE_S)

    assert collected.value == pytest.approx(one_by_one.value)


@given(st.lists(st.tuples(st.floats(min_value=1, max_value=1e6), SECONDS), min_size=1))
@settings(deadline=None, database=None)
def test_it_lies_among_the_answers(answers: list[tuple[float, float]]) -> None:
    waits = [waited_s for _, waited_s in answers]

    assert min(waits) * 0.999 <= after(*sorted(answers)).value <= max(waits) * 1.001


def test_models_that_nobody_asked_stay_as_they_were() -> None:
    standing = {"a/x": after((1000, 0.4))}

    both = folded(standing, {"b/y": Sample(0.2, 1)}, 1001, HALF_LIFE_S)

    assert both["a/x"] is standing["a/x"]
    assert both["b/y"].value == pytest.approx(0.2)
