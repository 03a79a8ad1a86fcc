"""What the pool has done lately, as sums and as points of a chart."""

import time
from collections.abc import Callable, Mapping

import msgspec

from shared.domain.pool_stats import MINUTE_S, Sums, pinned_share
from shared.operations.ports import Minutes

HOUR, DAY = 60, 24 * 60
"""In minutes."""
STEPS = {HOUR: 1, DAY: 15}
"""How many minutes a point of each chart is."""
_LATE_MINUTES = 2
"""So long after its end may a replica still add to a minute; each does once a second."""
_SUMMED = ("requests", "pinned", "decided", "errors", "degraded", "unexplained", "cost_usd", "kept_usd", "lost_usd")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """What the pool did in a time."""

    at: int
    """When it began, in seconds since the epoch."""
    requests: int
    pinned: int
    decided: int
    errors: int
    degraded: int
    unexplained: int
    """Switches of a session's model that no event explains."""
    cost_usd: float
    kept_usd: float
    lost_usd: float
    pinned_percent: float | None
    """Of the requests that needed a decision; None: there were none."""
    first_request_ms: float | None
    """How long a decision took, on average; None: there was none."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The last hour, the last day, and the points of a chart of one of them."""

    hour: Period
    day: Period
    points: tuple[Period, ...]


class PoolHistory:
    """Reads what the pool has done; a minute that is over for long is read once."""

    def __init__(self, minutes: Minutes, clock: Callable[[], float] = time.time) -> None:
        self._minutes = minutes
        self._clock = clock
        self._over: dict[int, Sums | None] = {}

    def read(self, span: int) -> History:
        """What has happened until now, with points of the last `span` minutes that are over; raises StoreDown.

        The oldest comes first.
        """
        last = int(self._clock() // MINUTE_S)
        found = self._read(last)
        step = STEPS[span]
        over = last // step * step
        return History(
            hour=_period(found, last - HOUR + 1, HOUR),
            day=_period(found, last - DAY + 1, DAY),
            points=tuple(_period(found, begin, step) for begin in range(over - span, over, step)),
        )

    def _read(self, last: int) -> dict[int, Sums]:
        wanted = range(last - DAY - max(STEPS.values()), last + 1)
        unknown = [minute for minute in wanted if minute not in self._over]
        found = self._minutes.read(unknown)
        known = {minute: found.get(minute, self._over.get(minute)) for minute in wanted}
        self._over = {minute: sums for minute, sums in known.items() if minute < last - _LATE_MINUTES}
        return {minute: sums for minute, sums in known.items() if sums}


def _period(found: Mapping[int, Sums], begin: int, lasts: int) -> Period:
    """What happened in so many minutes from one on, which is counted from the epoch."""
    every = [found[minute] for minute in range(begin, begin + lasts) if minute in found]
    totals = {name: sum(getattr(each, name) for each in every) for name in _SUMMED}
    first_s = sum(each.first_request_s for each in every)
    share = pinned_share(every)
    return Period(
        at=begin * MINUTE_S,
        pinned_percent=None if share is None else 100 * share,
        first_request_ms=1000 * first_s / totals["decided"] if totals["decided"] else None,
        **totals,
    )
