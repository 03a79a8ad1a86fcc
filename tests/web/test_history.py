"""What the overview sums up is what Redis holds, and a minute that is over is asked for once."""

from collections.abc import Sequence

from shared.domain.pool_stats import KEPT_S, MINUTE_S, Sums
from web.ops.pool.history import DAY, HOUR, PoolHistory

NOW = 1_000_000.0 * 60 + 30


class Minutes:
    """Keeps minutes, and which were asked for."""

    def __init__(self) -> None:
        self.kept: dict[int, Sums] = {}
        self.asked: list[list[int]] = []

    def read(self, minutes: Sequence[int]) -> dict[int, Sums]:
        self.asked.append(list(minutes))
        return {minute: self.kept[minute] for minute in minutes if minute in self.kept}


def test_the_hour_and_the_day_are_summed_and_a_share_of_nothing_is_none() -> None:
    """The share that a pin served is one of those that were to be decided: four of the requests were not."""
    minutes = Minutes()
    minutes.kept = {
        1_000_000: Sums(requests=14, pinned=9, decided=1, first_request_s=0.2, cost_usd=1.5),
        1_000_000 - 30: Sums(requests=10, pinned=6, decided=3, degraded=1, first_request_s=0.2),
        1_000_000 - 90: Sums(requests=100, errors=2),
        1_000_000 - DAY: Sums(requests=1000),
    }

    found = PoolHistory(minutes, lambda: NOW).read(HOUR)
    nothing = PoolHistory(Minutes(), lambda: NOW).read(DAY)

    assert (found.hour.requests, found.hour.pinned_percent, found.hour.first_request_ms) == (24, 75.0, 100.0)
    assert (found.day.requests, found.day.errors, found.day.cost_usd) == (124, 2, 1.5)
    assert [point.requests for point in found.points] == [0] * 30 + [10] + [0] * 29
    assert (nothing.day.requests, nothing.day.pinned_percent, len(nothing.points)) == (0, None, 96)


def test_a_minute_that_is_over_is_read_once_and_the_last_ones_each_time() -> None:
    minutes = Minutes()
    minutes.kept = {1_000_000: Sums(requests=1), 1_000_000 - 10: Sums(requests=5)}
    history = PoolHistory(minutes, lambda: NOW)

    history.read(HOUR)
    minutes.kept[1_000_000] = Sums(requests=2)
    minutes.kept[1_000_000 - 2] = Sums(requests=7)
    later = history.read(HOUR)

    assert len(minutes.asked[0]) > DAY
    assert minutes.asked[1] == [999_998, 999_999, 1_000_000]
    assert later.hour.requests == 2 + 5 + 7


def test_the_first_point_of_the_day_is_whole_however_late_it_is() -> None:
    """It began a quarter of an hour more than a day ago; a minute is kept from when it was added to."""
    now = (1_000_000 // 15 * 15 + 14) * MINUTE_S + 59.0
    minutes = Minutes()
    minutes.kept = {
        minute: Sums(requests=1)
        for minute in range(int(now - KEPT_S) // MINUTE_S, int(now) // MINUTE_S)
        if minute * MINUTE_S > now - KEPT_S
    }

    found = PoolHistory(minutes, lambda: now).read(DAY)

    assert {point.requests for point in found.points} == {15}
