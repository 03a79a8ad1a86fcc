"""Records how long answers took and what they used, and publishes it once a second.

It costs a request a few additions. /metrics and the observed latencies show an answer up to a second late. A process
that is killed loses what it has recorded in its last second.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from shared.domain.latency import Sample
from shared.domain.ranking import Price, Snapshot, known_of
from shared.errors import StoreDown
from web.dialects.dialect import Usage

log = logging.getLogger("plano.metrics")

EVERY_S = 1.0
MOST_NAMES = 200
"""So many tenants and models that the config does not name have counters of their own: clients choose the names."""
OTHER = "other"

_PER_MILLION = 1e-6


class TokenCount(msgspec.Struct):
    """Tokens of one model and tenant, each counted once."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def add(self, usage: Usage) -> None:
        """Add what one answer used."""
        self.input += usage.input
        self.cached += usage.cached
        self.output += usage.output

    def usd(self, price: Price) -> float:
        """What the tokens cost; cached input without a price of its own costs as much as other input."""
        cached = price.input if price.cached_input is None else price.cached_input
        return (self.input * price.input + self.cached * cached + self.output * price.output) * _PER_MILLION


class Metrics(Protocol):
    """Counts tokens and dollars."""

    def used(self, model: str, tenant: str, tokens: Mapping[str, int]) -> None:
        """Tokens of each kind were used."""

    def spent(self, model: str, tenant: str, usd: float) -> None:
        """The tokens have cost so many dollars."""

    def reasoning_dropped(self, model: str) -> None:
        """A model was asked without the reasoning of another one."""

    def pin_broken(self, model: str) -> None:
        """A provider said that its model could not read the reasoning of a conversation."""


class Prices(Protocol):
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
        prices: Prices,
        latencies: Latencies | None,
        *,
        models: Iterable[str] = (),
        tenants: Iterable[str] = (),
    ) -> None:
        """`models` and `tenants` are those of the config: they always have counters of their own."""
        self._metrics = metrics
        self._prices = prices
        self._latencies = latencies
        self._models = _Names(models)
        self._tenants = _Names(tenants)
        self._samples: dict[str, Sample] = {}
        self._counts: dict[tuple[str, str], TokenCount] = {}

    def answered(self, model: str, tenant: str | None, first_byte_s: float | None, usage: Usage | None) -> None:
        """Record a good answer of a model: how long its first byte took, and what it says it used."""
        name = self._models.of(model)
        if self._latencies and first_byte_s is not None and name != OTHER:
            sample = self._samples.get(name) or self._samples.setdefault(name, Sample())
            sample.total += first_byte_s
            sample.count += 1
        if usage is not None:
            key = (name, self._tenants.of(tenant) if tenant else "")
            (self._counts.get(key) or self._counts.setdefault(key, TokenCount())).add(usage)

    def reasoning(self, model: str, *, dropped: bool, unread: bool) -> None:
        """Count a good answer whose request lost reasoning on its way, here or (`unread`) at its provider."""
        if dropped:
            self._metrics.reasoning_dropped(self._models.of(model))
        if unread:
            self._metrics.pin_broken(self._models.of(model))

    def publish(self) -> None:
        """Count what was used, price it, and share the measured latencies with the pool."""
        samples, self._samples = self._samples, {}
        counts, self._counts = self._counts, {}
        if counts:
            self._count(counts)
        if samples and self._latencies:
            try:
                self._latencies.add(samples)
            except StoreDown as error:
                log.debug("what was measured in a second is lost: %s", error)

    def _count(self, counts: Mapping[tuple[str, str], TokenCount]) -> None:
        prices = self._prices.snapshot().prices
        for (model, tenant), tokens in counts.items():
            self._metrics.used(model, tenant, msgspec.structs.asdict(tokens))
            price = known_of(model, prices)
            if price:
                self._metrics.spent(model, tenant, tokens.usd(price))


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
