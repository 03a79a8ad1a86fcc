"""Sums what the pool does, minute by minute, and shares it once a second."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from shared.domain.decisions import Decision
from shared.domain.pool_stats import MINUTE_S, Sums
from shared.errors import StoreDown

log = logging.getLogger("plano.metrics")


class Minutes(Protocol):
    """Keeps the sums of all processes; raises StoreDown."""

    def add(self, minute: int, sums: Sums) -> None:
        """Add to a minute, which is counted from the epoch."""


class PoolStats:
    """What this process has done since the last second."""

    def __init__(self, minutes: Minutes, clock: Callable[[], float] = time.time) -> None:
        self._minutes = minutes
        self._clock = clock
        self._sums = Sums()

    def asked(self) -> None:
        """Count a request for an answer or a decision."""
        self._sums.requests += 1

    def decided(self, decision: Decision, took_s: float) -> None:
        """Count what decided a request, and how long that took if no pin did."""
        sums = self._sums
        if decision.pinned:
            sums.pinned += 1
        elif decision.degraded:
            sums.degraded += 1
        else:
            sums.decided += 1
            sums.first_request_s += took_s

    def refused(self) -> None:
        """Count a request that gets no answer because a part of the pool is away."""
        self.asked()
        self._sums.degraded += 1
        self._sums.errors += 1

    def failed(self) -> None:
        """Count a request that no model has answered."""
        self._sums.errors += 1

    def spent(self, cost_usd: float, kept_usd: float) -> None:
        """Count what answers cost, and what caches kept."""
        self._sums.cost_usd += cost_usd
        self._sums.kept_usd += kept_usd

    def lost(self, usd: float) -> None:
        """Count what it cost to leave a warm cache."""
        self._sums.lost_usd += usd

    def unexplained(self) -> None:
        """Count a switch of a session's model that no event explains."""
        self._sums.unexplained += 1

    def flush(self) -> None:
        """Add the sums to the minute. What Redis does not take is dropped."""
        sums, self._sums = self._sums, Sums()
        if sums == Sums():
            return
        try:
            self._minutes.add(int(self._clock() // MINUTE_S), sums)
        except StoreDown as error:
            log.debug("what the pool did in a second is lost: %s", error)
