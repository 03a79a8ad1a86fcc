"""Builds the objects of each kind of process. Nothing here opens a socket."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared import tracing
from shared.config import Config, load
from shared.config.sections import HALF_LIFE_S, OBSERVED, MetricSource
from shared.domain.money.accounts import HOUR_S
from shared.domain.ranking import Kind
from shared.domain.routes import model_names
from shared.env_settings import Settings
from shared.errors import ConfigError, QueueDown, StoreDown
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.decisions_in_place import DecisionsInPlace
from shared.memory.drains import MemoryDrains
from shared.memory.latency import MemoryLatencies
from shared.memory.new_session_limit import MemoryNewSessionLimit
from shared.memory.pins import MemoryPins
from shared.memory.pool_stats import MemoryStats
from shared.memory.response_models import MemoryResponses
from shared.operations.build import Operations, operations
from shared.periodic import Periodic
from shared.process_dependencies import BuildInPlace, ClockBase, NoMetrics, ViewBase, WebBase, WorkerBase
from shared.routing.build import build_affinity, build_failover
from shared.routing.ports import Recorder
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.pins_and_queue_redis import endpoints
from shared.store.connection.store_client import TRY_EVERY_S, StoreClient
from shared.store.cooldowns import CooldownStore, RecentCooldowns
from shared.store.decoding.unreadable import Unreadable
from shared.store.drains import LOOK_EVERY_S, DrainStore, RecentDrains
from shared.store.jobs.queue_view import QueueView
from shared.store.jobs.results import Results
from shared.store.metrics.latency import LatencyStore
from shared.store.metrics.pool_stats import StatsStore
from shared.store.metrics.snapshot import MetricsStore, RecentSnapshot
from shared.store.money.savings import SavingsStore
from shared.store.money.switch_budgets import BudgetStore
from shared.store.new_session_limit import NewSessionLimit
from shared.store.pin_admin import PinAdmin
from shared.store.pins import PinStore
from shared.store.queue import QUEUE, DecisionQueue, RefreshQueue
from shared.store.response_models import ResponseStore
from shared.store.sessions.records import RecordStore
from shared.store.web_replicas import Replicas
from shared.tracing import Tracing

BLOCKS_S = 0.25
"""How long a worker's dequeuing blocks, and so how late it may notice that it is to stop."""
_CONSOLE_SILENCE_S = 1.0


class WebRecorder(Recorder, Protocol):
    """Counts what happens in a web process."""

    def unreadable(self, kind: str) -> None:
        """Count a value in Redis that cannot be used."""


def web(
    settings: Settings, env: Mapping[str, str], recorder: WebRecorder, in_place: Callable[[], BuildInPlace]
) -> WebBase:
    """The base of a web process; `recorder` counts. Raises ConfigError.

    `in_place` is called in memory mode only. It returns the function that builds what makes the decisions there.
    """
    config = load(settings.config, env)
    traces = tracing.build(config.tracing, env)
    if config.routing.session_cache.type == "memory":
        return _memory_web(settings, config, recorder, traces, in_place())
    pins_endpoint, queue_endpoint = endpoints(settings, config)
    pins_redis, queue_redis = pins_endpoint.client(StoreDown), queue_endpoint.client(QueueDown)
    renewed_ttl_s = None if config.routing.session_ttl_mode == "fixed" else config.routing.session_ttl_seconds
    unreadable = Unreadable(recorder.unreadable)
    notes_use = config.routing.redecide != "never"
    pins = PinStore(pins_redis, renewed_ttl_s=renewed_ttl_s, notes_use=notes_use, unreadable=unreadable)
    results = Results(queue_endpoint.subscription_pool(), unreadable)
    queue_endpoint.detector.also_watch(results.anybody_waits)
    decisions = DecisionQueue(queue_redis, results, pins, limit=config.limits.waiting_decisions)
    session_limit = NewSessionLimit(pins_redis, config.limits.sessions_per_minute, unreadable=unreadable)
    drains = RecentDrains(DrainStore(pins_redis, unreadable), model_names(config.catalog, config.routes))
    failover = build_failover(config, CooldownStore(pins_redis, unreadable), pins, drains)
    return WebBase(
        settings=settings,
        config=config,
        affinity=build_affinity(
            config,
            pins=pins,
            decisions=decisions,
            session_limit=session_limit,
            successors=failover,
            recorder=recorder,
            traces=traces,
        ),
        failover=failover,
        pins=PinAdmin(pins_redis),
        responses=ResponseStore(pins_redis, config.routing.session_ttl_seconds, unreadable),
        decisions=decisions,
        redis=pins_redis,
        background=(
            *dict.fromkeys((pins_endpoint, queue_endpoint)),
            results,
            decisions,
            Periodic(TRY_EVERY_S, pins_redis.refusal, "writes"),
            Periodic(LOOK_EVERY_S, drains.look, "drains"),
        ),
        replicas=Replicas(pins_redis, unreadable),
        prices=RecentSnapshot(MetricsStore(pins_redis, unreadable)) if _priced(config) else NoMetrics(),
        latencies=_latencies(config, pins_redis, unreadable),
        ledger=SavingsStore(pins_redis, unreadable) if _priced(config) else None,
        budgets=_budgets(config, pins_redis, unreadable),
        records=_records(config, pins_redis, unreadable) if config.routing.record_ttl_seconds else None,
        stats=StatsStore(pins_redis, unreadable),
        operations=_operations(config, pins_redis, queue_redis, unreadable),
        tracing=traces,
    )


def worker(settings: Settings, env: Mapping[str, str]) -> WorkerBase:
    """The base of a worker process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = endpoints(settings, config, blocks_s=BLOCKS_S)
    client = pins_endpoint.client(StoreDown)
    metrics, cooldowns = MetricsStore(client), CooldownStore(client)
    names = model_names(config.catalog, config.routes)
    snapshot, recent_cooldowns = RecentSnapshot(metrics), RecentCooldowns(cooldowns, names)
    recent_drains = RecentDrains(DrainStore(client), names)
    return WorkerBase(
        config=config,
        pins=PinStore(client),
        metrics=metrics,
        cooldowns=cooldowns,
        latencies=_latencies(config, client),
        budgets=_budgets(config, client),
        queue_redis=queue_endpoint,
        background=(
            *dict.fromkeys((pins_endpoint, queue_endpoint)),
            Periodic(LOOK_EVERY_S, snapshot.look, "snapshot"),
            Periodic(LOOK_EVERY_S, recent_cooldowns.look, "cooldowns"),
            Periodic(LOOK_EVERY_S, recent_drains.look, "drains"),
            Periodic(TRY_EVERY_S, client.refusal, "writes"),
        ),
        snapshot=snapshot,
        recent_cooldowns=recent_cooldowns,
        recent_drains=recent_drains,
        tracing=tracing.build(config.tracing, env),
        outgoing=settings.outgoing,
    )


def clock(settings: Settings, env: Mapping[str, str]) -> ClockBase:
    """The base of a clock process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = endpoints(settings, config, connections=1)
    return ClockBase(
        config=config,
        metrics=RecentSnapshot(MetricsStore(pins_endpoint.client(StoreDown))),
        queue=RefreshQueue(queue_endpoint.client(QueueDown)),
        background=tuple(dict.fromkeys((pins_endpoint, queue_endpoint))),
    )


def view(settings: Settings, env: Mapping[str, str]) -> ViewBase:
    """The base of a command that looks at the pool; raises ConfigError."""
    config = load(settings.config, env)
    if config.routing.session_cache.type == "memory":
        raise ConfigError(["routing.session_cache.type: is memory; only redis can be looked at from outside"])
    pins_endpoint, queue_endpoint = endpoints(settings, config, connections=1)
    client = pins_endpoint.client(StoreDown)
    return ViewBase(
        config=config,
        metrics=MetricsStore(client),
        cooldowns=CooldownStore(client),
        savings=SavingsStore(client),
        drains=DrainStore(client),
        operations=_operations(config, client, queue_endpoint.client(QueueDown)),
    )


def console(settings: Settings, url: str) -> StoreClient:
    """A client for what a person asks of a Redis; it answers as Redis does. Raises ValueError for a wrong address."""
    endpoint = RedisEndpoint(
        url, name="redis", connections=1, silence_s=_CONSOLE_SILENCE_S, verify_tls=settings.redis_tls_verify
    )
    client = endpoint.client(StoreDown)
    client.response_callbacks.clear()
    return client


def _memory_web(
    settings: Settings, config: Config, recorder: Recorder, traces: Tracing, build: BuildInPlace
) -> WebBase:
    routing = config.routing
    sliding = routing.session_ttl_mode != "fixed"
    pins = MemoryPins(routing.session_max_entries, routing.session_ttl_seconds, sliding=sliding)
    cooldowns = MemoryCooldowns()
    source = _observed_source(config)
    latencies = MemoryLatencies(source.half_life_s if source else HALF_LIFE_S)
    drains = MemoryDrains()
    recent_drains = RecentDrains(drains, model_names(config.catalog, config.routes))
    made = build(config, pins, cooldowns, recent_drains, latencies, traces, settings.outgoing)
    failover = build_failover(config, cooldowns, pins, recent_drains)
    session_limit = MemoryNewSessionLimit(config.limits.sessions_per_minute)
    stats = MemoryStats()
    decisions = DecisionsInPlace(made.decide, limit=config.limits.waiting_decisions)
    return WebBase(
        settings=settings,
        config=config,
        affinity=build_affinity(
            config,
            pins=pins,
            decisions=decisions,
            session_limit=session_limit,
            successors=failover,
            recorder=recorder,
            traces=traces,
        ),
        failover=failover,
        pins=pins,
        responses=MemoryResponses(routing.session_max_entries, routing.session_ttl_seconds),
        decisions=decisions,
        redis=None,
        background=(*made.background, Periodic(LOOK_EVERY_S, recent_drains.look, "drains")),
        replicas=None,
        prices=made.metrics if _priced(config) else NoMetrics(),
        latencies=latencies if source else None,
        ledger=None,
        budgets=None,
        records=None,
        stats=stats,
        operations=operations(
            config, pins=pins, metrics=made.metrics, cooldowns=cooldowns, drains=drains, stats=stats
        ),
        tracing=traces,
    )


def _operations(
    config: Config, client: StoreClient, queue: StoreClient, unreadable: Unreadable | None = None
) -> Operations:
    return operations(
        config,
        pins=PinAdmin(client),
        metrics=MetricsStore(client, unreadable),
        cooldowns=CooldownStore(client, unreadable),
        drains=DrainStore(client, unreadable),
        records=_records(config, client, unreadable) if config.routing.record_ttl_seconds else None,
        stats=StatsStore(client, unreadable),
        replicas=Replicas(client, unreadable),
        queue=QueueView(queue, QUEUE),
    )


def _priced(config: Config) -> bool:
    return Kind.COST in config.source_types


def _observed_source(config: Config) -> MetricSource | None:
    return next((source for source in config.sources if source.provider == OBSERVED), None)


def _latencies(config: Config, client: StoreClient, unreadable: Unreadable | None = None) -> LatencyStore | None:
    source = _observed_source(config)
    return LatencyStore(client, source.half_life_s, source.kept_s, unreadable) if source else None


def _budgets(config: Config, client: StoreClient, unreadable: Unreadable | None = None) -> BudgetStore | None:
    ttl_s = max(config.routing.session_ttl_seconds, HOUR_S)
    return BudgetStore(client, ttl_s, unreadable) if config.routing.routing_budget and _priced(config) else None


def _records(config: Config, client: StoreClient, unreadable: Unreadable | None = None) -> RecordStore:
    routing = config.routing
    kept_s = routing.record_ttl_seconds
    return RecordStore(client, session_ttl_s=routing.session_ttl_seconds, kept_s=kept_s, unreadable=unreadable)
