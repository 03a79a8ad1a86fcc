"""Builds the objects of each kind of process. Nothing here opens a socket."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared import tracing
from shared.config import Config, load
from shared.config.sections import HALF_LIFE_S, OBSERVED, MetricSource
from shared.domain.money.savings import HOUR_S
from shared.domain.ranking import Kind
from shared.errors import ConfigError, QueueDown, StoreDown
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.deciding import DecisionsInPlace
from shared.memory.latency import MemoryLatencies
from shared.memory.pins import MemoryPins
from shared.memory.quotas import MemorySessionQuota
from shared.memory.response_models import MemoryResponses
from shared.periodic import Periodic
from shared.process_objects import BuildInPlace, ClockBase, NoMetrics, ViewBase, WebBase, WorkerBase
from shared.routing.affinity import Affinity
from shared.routing.failover import Cooldowns, Failover, Movable, OnFailure, Rules
from shared.routing.ports import Decisions, Pins, Policy, Quota, Recorder
from shared.settings import Settings
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.connection.store_client import TRY_EVERY_S, StoreClient
from shared.store.cooldowns import CooldownStore, RecentCooldowns
from shared.store.decoding.unreadable import Unreadable
from shared.store.jobs.results import Results
from shared.store.metrics.latency import LatencyStore
from shared.store.metrics.snapshot import MetricsStore, RecentSnapshot
from shared.store.money.budgets import BudgetStore
from shared.store.money.savings import SavingsStore
from shared.store.pin_view import PinView
from shared.store.pins import PinStore
from shared.store.queue import DecisionQueue, RefreshQueue
from shared.store.quotas import SessionQuota
from shared.store.response_models import ResponseStore
from shared.store.web_replicas import Replicas
from shared.tracing import Tracing

DEFAULT_REDIS = "redis://localhost:6379"

# A process has at most 8 connections, whatever the load: those for commands, one for each failure detector, and in
# web one for the subscription. Where the queue has a Redis of its own, those for commands are divided.
_ASKED_ON = 6
_ASKED_ON_WHEN_DIVIDED = {"pins": 3, "queue": 2}
BLOCKS_S = 0.25
"""How long a worker's dequeuing blocks, and so how late it may notice that it is to stop."""
_LOOK_EVERY_S = 0.5
"""How often a worker reads prices, latencies and cooldowns. Its decisions use what was read last."""
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
    pins_endpoint, queue_endpoint = _endpoints(settings, config)
    pins_redis, queue_redis = pins_endpoint.client(StoreDown), queue_endpoint.client(QueueDown)
    renewed_ttl_s = None if config.routing.session_ttl_mode == "fixed" else config.routing.session_ttl_seconds
    unreadable = Unreadable(recorder.unreadable)
    notes_use = config.routing.redecide != "never"
    pins = PinStore(pins_redis, renewed_ttl_s=renewed_ttl_s, notes_use=notes_use, unreadable=unreadable)
    results = Results(queue_endpoint.subscription_pool(), unreadable)
    queue_endpoint.detector.also_watch(results.anybody_waits)
    decisions = DecisionQueue(queue_redis, results, pins, limit=config.limits.waiting_decisions)
    quota = SessionQuota(pins_redis, config.limits.sessions_per_minute, unreadable=unreadable)
    return WebBase(
        settings=settings,
        config=config,
        affinity=_affinity(config, pins=pins, decisions=decisions, quota=quota, recorder=recorder, traces=traces),
        failover=_failover(config, CooldownStore(pins_redis, unreadable), pins),
        pins=PinView(pins_redis),
        responses=ResponseStore(pins_redis, config.routing.session_ttl_seconds, unreadable),
        decisions=decisions,
        redis=pins_redis,
        background=(
            *dict.fromkeys((pins_endpoint, queue_endpoint)),
            results,
            decisions,
            Periodic(TRY_EVERY_S, pins_redis.refusal, "writes"),
        ),
        replicas=Replicas(pins_redis, unreadable),
        prices=RecentSnapshot(MetricsStore(pins_redis, unreadable)) if _priced(config) else NoMetrics(),
        latencies=_latencies(config, pins_redis, unreadable),
        ledger=SavingsStore(pins_redis, unreadable) if _priced(config) else None,
        budgets=_budgets(config, pins_redis, unreadable),
        tracing=traces,
    )


def worker(settings: Settings, env: Mapping[str, str]) -> WorkerBase:
    """The base of a worker process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = _endpoints(settings, config, blocks_s=BLOCKS_S)
    client = pins_endpoint.client(StoreDown)
    metrics, cooldowns = MetricsStore(client), CooldownStore(client)
    snapshot, recent_cooldowns = RecentSnapshot(metrics), RecentCooldowns(cooldowns, _model_names(config))
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
            Periodic(_LOOK_EVERY_S, snapshot.look, "snapshot"),
            Periodic(_LOOK_EVERY_S, recent_cooldowns.look, "cooldowns"),
            Periodic(TRY_EVERY_S, client.refusal, "writes"),
        ),
        snapshot=snapshot,
        recent_cooldowns=recent_cooldowns,
        tracing=tracing.build(config.tracing, env),
        outgoing=settings.outgoing,
    )


def clock(settings: Settings, env: Mapping[str, str]) -> ClockBase:
    """The base of a clock process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = _endpoints(settings, config, connections=1)
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
    pins_endpoint, _ = _endpoints(settings, config, connections=1)
    client = pins_endpoint.client(StoreDown)
    return ViewBase(
        config=config,
        metrics=MetricsStore(client),
        cooldowns=CooldownStore(client),
        savings=SavingsStore(client),
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
    made = build(config, pins, cooldowns, latencies, traces, settings.outgoing)
    quota = MemorySessionQuota(config.limits.sessions_per_minute)
    decisions = DecisionsInPlace(made.decide, limit=config.limits.waiting_decisions)
    return WebBase(
        settings=settings,
        config=config,
        affinity=_affinity(config, pins=pins, decisions=decisions, quota=quota, recorder=recorder, traces=traces),
        failover=_failover(config, cooldowns, pins),
        pins=pins,
        responses=MemoryResponses(routing.session_max_entries, routing.session_ttl_seconds),
        decisions=decisions,
        redis=None,
        background=made.background,
        replicas=None,
        prices=made.metrics if _priced(config) else NoMetrics(),
        latencies=latencies if source else None,
        ledger=None,
        budgets=None,
        tracing=traces,
    )


def _affinity(
    config: Config, *, pins: Pins, decisions: Decisions, quota: Quota, recorder: Recorder, traces: Tracing
) -> Affinity:
    routing = config.routing
    policy = Policy(
        session_ttl_s=routing.session_ttl_seconds,
        session_max_age_s=None if routing.session_ttl_mode == "fixed" else routing.session_max_age_seconds,
        budget_percent=_budget_percent(config),
        user_turns_only=routing.route_on_user_only,
        redecides=routing.redecide == "when_cold",
        ttl_of_cache=routing.session_ttl_mode == "cache",
        decision_budget_s=routing.decision_timeout_ms / 1000,
        reject_on_outage=routing.on_outage == "reject",
    )
    return Affinity(
        catalog=config.catalog,
        routes=config.routes,
        pins=pins,
        decisions=decisions,
        policy=policy,
        recorder=recorder,
        quota=quota,
        tracing=traces,
    )


def _budget_percent(config: Config) -> float | None:
    """How much of its savings a session may spend; None where nobody knows what it has saved."""
    budget = config.routing.routing_budget
    known = _priced(config) and config.routing.session_cache.type == "redis"
    return budget.percent if budget and known else None


def _failover(config: Config, cooldowns: Cooldowns, pins: Movable) -> Failover:
    routing, catalog = config.routing, config.catalog
    rules = Rules(
        on_failure=OnFailure(routing.on_failure),
        max_attempts=routing.max_attempts,
        default=catalog.default.name if routing.fallback_to_default and catalog.default else None,
    )
    return Failover(cooldowns, pins, _model_names(config), rules)


def _model_names(config: Config) -> tuple[str, ...]:
    named = (model.name for model in config.catalog.models)
    routed = (name for route in config.routes for name in route.models)  # only routes name a wildcard's models
    return tuple(dict.fromkeys((*named, *routed)))


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


def _pins_url(settings: Settings, config: Config) -> str:
    return settings.redis_url or config.routing.session_cache.url or DEFAULT_REDIS


def _queue_url(settings: Settings, config: Config) -> str:
    return settings.queue_redis_url or _pins_url(settings, config)


def _endpoints(
    settings: Settings, config: Config, *, connections: int | None = None, blocks_s: float = 0.0
) -> tuple[RedisEndpoint, RedisEndpoint]:
    """The Redis of the pins and that of the queue. Usually they are one Redis, and then one endpoint."""
    pins_url, queue_url = _pins_url(settings, config), _queue_url(settings, config)

    def reach(url: str, name: str, most: int) -> RedisEndpoint:
        return RedisEndpoint(
            url,
            name=name,
            connections=connections or most,
            silence_s=config.routing.session_cache.silence_ms / 1000,
            blocks_s=blocks_s,
            verify_tls=settings.redis_tls_verify,
        )

    if pins_url == queue_url:
        shared = reach(pins_url, "redis", _ASKED_ON)
        return shared, shared
    return (
        reach(pins_url, "redis of the pins", _ASKED_ON_WHEN_DIVIDED["pins"]),
        reach(queue_url, "redis of the queue", _ASKED_ON_WHEN_DIVIDED["queue"]),
    )
