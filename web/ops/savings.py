"""Sums what answers cost, kept and lost in US$, for the counters and for `plano savings`."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from shared.domain.money.accounts import HOUR_S, Account, Amounts
from shared.errors import StoreDown
from web.ops.pool.stats import PoolStats

log = logging.getLogger("plano.metrics")

OTHER = "other"
MOST_ACCOUNTS = 1000
"""So many accounts of an hour does a process keep apart: clients may choose each part of their names."""
_REST = Account(OTHER, OTHER, OTHER)


class Metrics(Protocol):
    """Counts dollars."""

    def spent(self, model: str, tenant: str, usd: float) -> None:
        """Answers have cost so much."""

    def kept(self, model: str, tenant: str, usd: float) -> None:
        """Caches have saved so much."""

    def lost(self, reason: str, usd: float) -> None:
        """Re-warming a cache has cost so much."""

    def unsaved(self) -> None:
        """Redis did not take the sums of a second."""


class Ledger(Protocol):
    """Keeps the sums of all processes; raises StoreDown."""

    def add(self, hour: int, sums: Mapping[Account, Amounts]) -> None:
        """Add to an hour, which is counted from the epoch."""


class Savings:
    """Counts at once, and hands the sums over when it is told to."""

    def __init__(
        self,
        metrics: Metrics,
        ledger: Ledger | None,
        stats: PoolStats,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without a ledger there are the counters and the pool's minutes alone."""
        self._stats = stats
        self._metrics = metrics
        self._ledger = ledger
        self._clock = clock
        self._sums: dict[Account, Amounts] = {}
        self._debts: dict[tuple[str, str], float] = {}
        self._hour = 0
        self._accounts: set[Account] = set()

    def spent(self, account: Account, cost: float, kept: float) -> None:
        """Count what answers cost, and what the cache kept; that may be less than nothing."""
        self._metrics.spent(account.model, account.tenant, cost)
        self._stats.spent(cost, kept)
        self._count_kept(account.model, account.tenant, kept)
        self._add(account, Amounts(cost, kept))

    def lost(self, account: Account, reason: str, usd: float) -> None:
        """Count what it cost that a session has left a warm cache."""
        self._metrics.lost(reason, usd)
        self._stats.lost(usd)
        self._add(account, Amounts(lost=usd))

    def flush(self) -> None:
        """Add the sums to those of the pool. What Redis does not take is dropped, and counted."""
        sums, self._sums = self._sums, {}
        if not sums or self._ledger is None:
            return
        try:
            self._ledger.add(self._hour_now(), sums)
        except StoreDown as error:
            self._metrics.unsaved()
            log.debug("the sums of a second are lost: %s", error)

    def _count_kept(self, model: str, tenant: str, usd: float) -> None:
        """A counter never falls: what writing to a cache cost is kept back until readings have paid for it."""
        balance = self._debts.pop((model, tenant), 0.0) + usd
        if balance > 0:
            self._metrics.kept(model, tenant, balance)
        elif balance < 0:
            self._debts[model, tenant] = balance

    def _add(self, account: Account, amounts: Amounts) -> None:
        hour = self._hour_now()
        if hour != self._hour:
            self._hour, self._accounts = hour, set()
        if account not in self._accounts and len(self._accounts) >= MOST_ACCOUNTS:
            account = _REST
        self._accounts.add(account)
        self._sums[account] = self._sums.get(account, Amounts()).plus(amounts)

    def _hour_now(self) -> int:
        return int(self._clock() // HOUR_S)
