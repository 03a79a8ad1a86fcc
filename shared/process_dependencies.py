"""The objects that each kind of process is built on."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from shared.config import Config
from shared.domain.latency import Sample
from shared.domain.money.accounts import Account, Amounts
from shared.domain.pins import Held, Pin
from shared.domain.ranking import EMPTY, Snapshot
from shared.env_settings import Settings
from shared.job_messages import DecisionRequest, DecisionResult
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.latency import MemoryLatencies
from shared.memory.pins import MemoryPins
from shared.memory.pool_stats import MemoryStats
from shared.operations.build import Operations
from shared.outgoing import Outgoing
from shared.routing.affinity import Affinity
from shared.routing.failover import Failover
from shared.routing.ports import Decisions
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore, RecentCooldowns
from shared.store.drains import DrainStore, RecentDrains
from shared.store.metrics.latency import LatencyStore
from shared.store.metrics.pool_stats import StatsStore
from shared.store.metrics.snapshot import MetricsStore, RecentSnapshot
from shared.store.money.savings import SavingsStore
from shared.store.money.switch_budgets import BudgetStore
from shared.store.pins import PinStore
from shared.store.queue import RefreshQueue
from shared.store.sessions.records import RecordStore
from shared.store.web_replicas import Replicas
from shared.tracing import Tracing


class Background(Protocol):
    """Work that runs beside the requests."""

    def start(self) -> None:
        """Begin; in a server, only after it has forked."""

    def stop(self) -> None:
        """End."""


class Metrics(Protocol):
    """Knows the prices and latencies of the models."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Latencies(Protocol):
    """Keeps the latencies that the pool itself has measured; raises StoreDown."""

    def add(self, samples: Mapping[str, Sample]) -> None:
        """Add what this process has measured to the averages."""


class AdminPins(Protocol):
    """Pins as an operator sees and changes them; every method may raise StoreDown."""

    def peek(self, key: bytes) -> Held | None:
        """What stands under a key, or None; changes nothing."""

    def page(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[Held]]:
        """The pins among about `count` keys, from the cursor on; and the next cursor, 0 at the end."""

    def put(self, key: bytes, pin: Pin, ttl_s: int) -> None:
        """Put a pin there, in place of whatever stands there."""

    def remove(self, key: bytes) -> bool:
        """Remove whatever stands there; return whether there was something."""


class Responses(Protocol):
    """Knows which models made the responses that providers keep; every method may raise StoreDown."""

    def note(self, tenant: str | None, response_id: str, model: str) -> None:
        """Keep which model made a response."""

    def model_of(self, tenant: str | None, response_id: str) -> str | None:
        """The model that made a response; None for one that is not known."""


class Ledger(Protocol):
    """Keeps what answers cost and saved; raises StoreDown."""

    def add(self, hour: int, sums: Mapping[Account, Amounts]) -> None:
        """Add to an hour, which is counted from the epoch."""


class WebBase(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that a web process is built on."""

    settings: Settings
    config: Config
    affinity: Affinity
    decisions: Decisions
    pins: AdminPins
    responses: Responses
    redis: StoreClient | None
    """The pins' Redis; None in memory mode."""
    background: tuple[Background, ...]
    """To be started once in each process that serves."""
    replicas: Replicas | None
    budgets: BudgetStore | None
    """None: no session may change its model when it pays."""
    tracing: Tracing
    failover: Failover
    prices: Metrics
    latencies: Latencies | None
    """None: the config has no metric source of the kind `observed`."""
    ledger: Ledger | None
    """None: nothing is priced, or there is no Redis to keep it."""
    records: RecordStore | None
    """None: nothing is kept of sessions; in memory mode, too."""
    stats: StatsStore | MemoryStats
    operations: Operations


class WorkerBase(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that a worker process is built on."""

    config: Config
    pins: PinStore
    metrics: MetricsStore
    cooldowns: CooldownStore
    latencies: LatencyStore | None
    budgets: BudgetStore | None
    """None: no session may change its model when it pays."""
    queue_redis: RedisEndpoint
    background: tuple[Background, ...]
    snapshot: RecentSnapshot
    recent_cooldowns: RecentCooldowns
    recent_drains: RecentDrains
    tracing: Tracing
    outgoing: Outgoing


class ClockBase(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that a clock process is built on."""

    config: Config
    metrics: RecentSnapshot
    queue: RefreshQueue
    background: tuple[Background, ...]


class ViewBase(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that an operator's command is built on."""

    config: Config
    metrics: MetricsStore
    cooldowns: CooldownStore
    savings: SavingsStore
    drains: DrainStore
    operations: Operations


class InPlace(NamedTuple):
    """What makes the decisions in memory mode, where there are no workers."""

    decide: Callable[[DecisionRequest], DecisionResult]
    metrics: Metrics
    background: tuple[Background, ...]


BuildInPlace = Callable[
    [Config, MemoryPins, MemoryCooldowns, RecentDrains, MemoryLatencies, Tracing, Outgoing], InPlace
]


class NoMetrics:
    """The prices and latencies of a pool that measures none."""

    def snapshot(self) -> Snapshot:
        """An empty snapshot."""
        return EMPTY
