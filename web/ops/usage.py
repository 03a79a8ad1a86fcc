"""Records how long answers took and what they used, and publishes it once a second.

It costs a request a few additions. /metrics and the observed latencies show an answer up to a second late. A process
that is killed loses what it has recorded in its last second.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from shared.domain.latency import Sample
from shared.domain.money import Prices, Usage, cost, kept, lost, prices_of
from shared.domain.money.accounts import Account, Move
from shared.domain.ranking import Snapshot
from shared.domain.sessions import Session
from shared.errors import StoreDown
from web.ops.savings import OTHER, Savings
from web.ops.sessions.records import SessionRecords
from web.ops.switch_budgets import SessionBudgets

log = logging.getLogger("plano.metrics")

EVERY_S = 1.0
MOST_NAMES = 200
"""So many tenants and models that the config does not name have counters of their own: clients choose the names."""


class Metrics(Protocol):
    """Counts tokens."""

    def used(self, model: str, tenant: str, tokens: Mapping[str, int]) -> None:
        """Tokens of each kind were used."""

    def first_byte(self, model: str, seconds: float) -> None:
        """An answer took so long to begin."""

    def failed(self, model: str, outcome: str) -> None:
        """A request to a provider has failed."""

    def reasoning_dropped(self, model: str) -> None:
        """A model was asked without the reasoning of another one."""

    def pin_broken(self, model: str) -> None:
        """A provider said that its model could not read the reasoning of a conversation."""


class Measured(Protocol):
    """Knows the prices."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Latencies(Protocol):
    """Keeps the latencies that the pool itself has measured; raises StoreDown."""

    def add(self, samples: Mapping[str, Sample]) -> None:
        """Add what this process has measured to the averages."""


class UsageRecorder:
    """Collects the latencies and the usage of answers."""

    def __init__(
        self,
        metrics: Metrics,
        measured: Measured,
        latencies: Latencies | None,
        savings: Savings,
        *,
        models: Iterable[str] = (),
        tenants: Iterable[str] = (),
        routes: Iterable[str] = (),
        budgets: SessionBudgets | None = None,
        records: SessionRecords | None = None,
    ) -> None:
        """Without `budgets` nobody asks what a session has saved; without `records` nothing is kept of sessions.

        `models`, `tenants` and `routes` are those of the config: they always have counters of their own.
        """
        self._metrics = metrics
        self._measured = measured
        self._latencies = latencies
        self._savings = savings
        self._budgets = budgets
        self._records = records
        self._models = _Names(models)
        self._tenants = _Names(tenants)
        self._routes = _Names(routes)
        self._samples: dict[str, Sample] = {}
        self._counts: dict[tuple[Account, str], Usage] = {}
        """By account and by the model whose prices hold: models without a counter of their own share an account."""
        self._listed: Mapping[str, Prices] = {}
        self._known: dict[str, Prices | None] = {}
        """What has been looked up in the list since the last second."""

    def usd(self, model: str, usage: Usage) -> float | None:
        """What an answer cost by the prices of the last second; None when they are not known."""
        prices = self._prices(model)
        return cost(usage, prices) if prices else None

    def answered(
        self, account: Account, first_byte_s: float | None, usage: Usage | None, session: Session | None = None
    ) -> None:
        """Record a good answer of the account's model: how long its first byte took, and what it says it used."""
        if self._budgets and session and usage:
            self._budgets.answered(session, account.model, usage, self._prices(account.model))
        if self._records and session and usage:
            self._records.used(session, account.model, usage)
        counted = self._bounded(account)
        name = counted.model
        if first_byte_s is not None:
            self._metrics.first_byte(name, first_byte_s)
        if self._latencies and first_byte_s is not None and name != OTHER:
            sample = self._samples.get(name) or self._samples.setdefault(name, Sample())
            sample.total += first_byte_s
            sample.count += 1
        if usage is not None:
            key = counted, account.model
            before = self._counts.get(key)
            self._counts[key] = before.plus(usage) if before else usage

    def moved(self, account: Account, move: Move, usage: Usage, warm: int) -> None:
        """Record that an answer did not come from the model that was left, whose cache held `warm` tokens."""
        prices = self._prices(account.model)
        if prices is None:
            return
        usd = lost(usage, prices, self._prices(move.left) or prices, warm)
        if usd:
            self._savings.lost(self._bounded(account), move.reason, usd)

    def failed(self, model: str, outcome: str) -> None:
        """Count a request to a provider that has failed."""
        self._metrics.failed(self._models.of(model), outcome)

    def reasoning(self, model: str, *, dropped: bool, unread: bool) -> None:
        """Count a good answer whose request lost reasoning on its way, here or (`unread`) at its provider."""
        if dropped:
            self._metrics.reasoning_dropped(self._models.of(model))
        if unread:
            self._metrics.pin_broken(self._models.of(model))

    def publish(self) -> None:
        """Count what was used, price it, and share it and the measured latencies with the pool."""
        samples, self._samples = self._samples, {}
        counts, self._counts = self._counts, {}
        self._listed, self._known = self._measured.snapshot().prices, {}
        for (account, model), tokens in counts.items():
            self._count(account, tokens, self._prices(model))
        self._savings.flush()
        if self._budgets:
            self._budgets.flush()
        if samples and self._latencies:
            try:
                self._latencies.add(samples)
            except StoreDown as error:
                log.debug("what was measured in a second is lost: %s", error)

    def _count(self, account: Account, tokens: Usage, prices: Prices | None) -> None:
        self._metrics.used(account.model, account.tenant, msgspec.structs.asdict(tokens))
        if prices is None:
            return
        paid, saved = cost(tokens, prices), kept(tokens, prices)
        if paid is not None and saved is not None:
            self._savings.spent(account, paid, saved)

    def _prices(self, model: str) -> Prices | None:
        if model not in self._known:
            self._known[model] = prices_of(model, self._listed)
        return self._known[model]

    def _bounded(self, account: Account) -> Account:
        """The account by names that have counters of their own."""
        tenant, model, route = account
        tenant = self._tenants.of(tenant) if tenant else ""
        return Account(tenant, self._models.of(model), self._routes.of(route) if route else "")


class _Names:
    """The names that have counters of their own: the known ones, and the first so many others."""

    def __init__(self, known: Iterable[str]) -> None:
        self._names = set(known)
        self._most = len(self._names) + MOST_NAMES

    def of(self, name: str) -> str:
        """The name itself, or `other` when it has no counter of its own."""
        if name in self._names:
            return name
        if len(self._names) >= self._most:
            return OTHER
        self._names.add(name)
        return name
