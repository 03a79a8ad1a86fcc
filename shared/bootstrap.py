"""Where the objects of a process meet. Nothing here opens a socket."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Protocol

import msgspec

from shared import contract, tracing
from shared.affinity import Affinity, Decisions, Notes, Pins, Policy, Quota
from shared.config import Config, load
from shared.config.values import HALF_LIFE_S, OBSERVED, CacheType, MetricSource
from shared.domain.observed import Seen
from shared.domain.pins import Pin
from shared.domain.ranking import EMPTY, Kind, Snapshot
from shared.domain.sessions import Session
from shared.errors import ConfigError, QueueDown, StoreDown
from shared.failover import Cooldowns, Failover, Movable, OnFailure, Rules
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.decisions import InPlace
from shared.memory.observed import MemoryObserved
from shared.memory.pins import MemoryPins
from shared.memory.quotas import MemorySessionQuota
from shared.periodic import Periodic
from shared.settings import Settings
from shared.store.cooldowns import CooldownStore, RecentCooldowns
from shared.store.endpoint import RedisEndpoint
from shared.store.metrics import MetricsStore, RecentSnapshot
from shared.store.observed import ObservedStore
from shared.store.pins import PinStore
from shared.store.queue import DecisionQueue, RefreshQueue
from shared.store.quotas import SessionQuota
from shared.store.replicas import Replicas
from shared.store.results import Results
from shared.store.store_client import StoreClient
from shared.tracing import Tracing

DEFAULT_REDIS = "redis://localhost:6379"

# At most 8 connections a process, whatever the load: those that are asked on, one for each failure detector, and in
# web one for the subscription. Where the queue has a Redis of its own, they are divided.
_ASKED_ON = 6
_ASKED_ON_WHEN_DIVIDED = {"pins": 3, "queue": 2}
BLOCKS_S = 0.25
"""How long a worker's dequeuing blocks: a stop is noticed no later than this."""
_LOOK_EVERY_S = 0.5
"""How old a worker's view of prices, latencies and cooldowns may be; no decision reads them itself."""


class Background(Protocol):
    """What runs beside the requests."""

    def start(self) -> None:
        """Begin, in a server after it has forked."""

    def stop(self) -> None:
        """End."""


class Metrics(Protocol):
    """Where prices and latencies stand."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Observed(Protocol):
    """Where a process says what it sees; raises StoreDown."""

    def add(self, seen: Mapping[str, Seen]) -> None:
        """Fold in what it has seen of some models."""


class AdminPins(Protocol):
    """Pins as an operator sees and changes them; every method may raise StoreDown."""

    def peek(self, session: Session) -> tuple[Pin, int] | None:
        """The session's pin and its ttl in seconds, untouched."""

    def page(self, cursor: int, count: int) -> tuple[int, dict[str, tuple[Pin, int]]]:
        """About `count` pins by key, each with its ttl, from the cursor on; and the next cursor, 0 at the end."""

    def put(self, session: Session, pin: Pin, ttl_s: int) -> None:
        """Pin the session to this, whatever stands."""

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """What a web process stands on."""

    settings: Settings
    config: Config
    affinity: Affinity
    decisions: Decisions
    pins: AdminPins
    redis: StoreClient | None
    """The pins' Redis; None in memory mode."""
    background: tuple[Background, ...]
    """To be started once in each process that serves."""
    replicas: Replicas | None
    tracing: Tracing
    failover: Failover
    prices: Metrics
    observed: Observed | None
    """None: no source asks what this process sees."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process stands on."""

    config: Config
    pins: PinStore
    metrics: MetricsStore
    cooldowns: CooldownStore
    observed: ObservedStore | None
    queue_redis: RedisEndpoint
    background: tuple[Background, ...]
    snapshot: RecentSnapshot
    recent_cooldowns: RecentCooldowns
    tracing: Tracing


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What a clock process stands on."""

    config: Config
    metrics: RecentSnapshot
    queue: RefreshQueue
    background: tuple[Background, ...]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a command that only looks stands on."""

    config: Config
    metrics: MetricsStore
    cooldowns: CooldownStore


class NoMetrics:
    """What is known of the models where nothing measures them."""

    def snapshot(self) -> Snapshot:
        """Nothing."""
        return EMPTY


def web(settings: Settings, env: Mapping[str, str], notes: Notes) -> Web:
    """The parts of a web process; `notes` counts. Raises ConfigError."""
    config = load(settings.config, env)
    traces = tracing.build(config.tracing, env)
    if config.routing.cache_type is CacheType.MEMORY:
        return _memory_web(settings, config, notes, traces)
    pins_endpoint, queue_endpoint = _endpoints(settings, config)
    pins_redis, queue_redis = pins_endpoint.client(StoreDown), queue_endpoint.client(QueueDown)
    sliding_ttl_s = config.routing.session_ttl_s if config.routing.session_ttl_mode == "sliding" else None
    pins = PinStore(pins_redis, sliding_ttl_s=sliding_ttl_s)
    results = Results(queue_endpoint.subscription_pool())
    decisions = DecisionQueue(queue_redis, results, pins, limit=config.limits.waiting_decisions)
    quota = SessionQuota(pins_redis, config.limits.sessions_per_minute)
    return Web(
        settings=settings,
        config=config,
        affinity=_affinity(config, pins=pins, decisions=decisions, quota=quota, notes=notes, traces=traces),
        failover=_failover(config, CooldownStore(pins_redis), pins),
        pins=pins,
        decisions=decisions,
        redis=pins_redis,
        background=(*dict.fromkeys((pins_endpoint, queue_endpoint)), results),
        replicas=Replicas(pins_redis),
        prices=RecentSnapshot(MetricsStore(pins_redis)) if _priced(config) else NoMetrics(),
        observed=_observed(config, pins_redis),
        tracing=traces,
    )


def worker(settings: Settings, env: Mapping[str, str]) -> Worker:
    """The parts of a worker process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = _endpoints(settings, config, blocks_s=BLOCKS_S)
    client = pins_endpoint.client(StoreDown)
    metrics, cooldowns = MetricsStore(client), CooldownStore(client)
    snapshot, recent_cooldowns = RecentSnapshot(metrics), RecentCooldowns(cooldowns, _model_names(config))
    return Worker(
        config=config,
        pins=PinStore(client),
        metrics=metrics,
        cooldowns=cooldowns,
        observed=_observed(config, client),
        queue_redis=queue_endpoint,
        background=(
            *dict.fromkeys((pins_endpoint, queue_endpoint)),
            Periodic(_LOOK_EVERY_S, snapshot.look, "snapshot"),
            Periodic(_LOOK_EVERY_S, recent_cooldowns.look, "cooldowns"),
        ),
        snapshot=snapshot,
        recent_cooldowns=recent_cooldowns,
        tracing=tracing.build(config.tracing, env),
    )


def clock(settings: Settings, env: Mapping[str, str]) -> Clock:
    """The parts of a clock process; raises ConfigError."""
    config = load(settings.config, env)
    pins_endpoint, queue_endpoint = _endpoints(settings, config, connections=1)
    return Clock(
        config=config,
        metrics=RecentSnapshot(MetricsStore(pins_endpoint.client(StoreDown))),
        queue=RefreshQueue(queue_endpoint.client(QueueDown)),
        background=tuple(dict.fromkeys((pins_endpoint, queue_endpoint))),
    )


def view(settings: Settings, env: Mapping[str, str]) -> View:
    """The parts of a command that looks at the pool; raises ConfigError."""
    config = load(settings.config, env)
    if config.routing.cache_type is CacheType.MEMORY:
        raise ConfigError(["routing.session_cache.type: is memory; only redis can be looked at from outside"])
    pins_endpoint, _ = _endpoints(settings, config, connections=1)
    client = pins_endpoint.client(StoreDown)
    return View(config=config, metrics=MetricsStore(client), cooldowns=CooldownStore(client))


def _memory_web(settings: Settings, config: Config, notes: Notes, traces: Tracing) -> Web:
    routing = config.routing
    sliding = routing.session_ttl_mode == "sliding"
    pins = MemoryPins(routing.session_max_entries, routing.session_ttl_s, sliding=sliding)
    cooldowns = MemoryCooldowns()
    # Decider and metrics are a worker's; web and shared know them by name only, as the queue does.
    source = _observed_source(config)
    observed = MemoryObserved(source.half_life_s if source else HALF_LIFE_S)
    metrics = resolve_name(contract.BUILD_METRICS)(config, observed) if config.sources else NoMetrics()
    decider = resolve_name(contract.BUILD_DECIDER)(config, pins, metrics, cooldowns, traces)
    quota = MemorySessionQuota(config.limits.sessions_per_minute)
    decisions = InPlace(decider.decide, limit=config.limits.waiting_decisions)
    return Web(
        settings=settings,
        config=config,
        affinity=_affinity(config, pins=pins, decisions=decisions, quota=quota, notes=notes, traces=traces),
        failover=_failover(config, cooldowns, pins),
        pins=pins,
        decisions=decisions,
        redis=None,
        background=(),
        replicas=None,
        prices=metrics if _priced(config) else NoMetrics(),
        observed=observed if source else None,
        tracing=traces,
    )


def _affinity(
    config: Config, *, pins: Pins, decisions: Decisions, quota: Quota, notes: Notes, traces: Tracing
) -> Affinity:
    routing = config.routing
    policy = Policy(
        session_ttl_s=routing.session_ttl_s,
        session_max_age_s=routing.session_max_age_s if routing.session_ttl_mode == "sliding" else None,
        decision_budget_s=routing.decision_timeout_ms / 1000,
        reject_on_outage=routing.on_outage == "reject",
    )
    return Affinity(
        catalog=config.catalog,
        routes=config.routes,
        pins=pins,
        decisions=decisions,
        policy=policy,
        notes=notes,
        quota=quota,
        tracing=traces,
    )


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
    routed = (name for route in config.routes for name in route.models)  # a wildcard's models are named here only
    return tuple(dict.fromkeys((*named, *routed)))


def _priced(config: Config) -> bool:
    return any(source.type == Kind.COST for source in config.sources)


def _observed_source(config: Config) -> MetricSource | None:
    return next((source for source in config.sources if source.provider == OBSERVED), None)


def _observed(config: Config, client: StoreClient) -> ObservedStore | None:
    source = _observed_source(config)
    return ObservedStore(client, source.half_life_s, source.kept_s) if source else None


def _pins_url(settings: Settings, config: Config) -> str:
    return settings.redis_url or config.routing.cache_url or DEFAULT_REDIS


def _queue_url(settings: Settings, config: Config) -> str:
    return settings.queue_redis_url or _pins_url(settings, config)


def _endpoints(
    settings: Settings, config: Config, *, connections: int | None = None, blocks_s: float = 0.0
) -> tuple[RedisEndpoint, RedisEndpoint]:
    """The pins' Redis and the queue's, which usually are one and then share their connections."""
    pins_url, queue_url = _pins_url(settings, config), _queue_url(settings, config)

    def reach(url: str, name: str, most: int) -> RedisEndpoint:
        return RedisEndpoint(
            url,
            name=name,
            connections=connections or most,
            silence_s=config.routing.cache_silence_ms / 1000,
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
