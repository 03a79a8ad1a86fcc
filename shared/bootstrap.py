"""Where the objects of a process meet. Nothing here opens a socket."""

from collections.abc import Callable, Mapping
from functools import partial
from pkgutil import resolve_name
from typing import Protocol

import msgspec
import redis

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
from shared.settings import Settings
from shared.store import connections
from shared.store.cooldowns import CooldownStore
from shared.store.link import Link
from shared.store.metrics import MetricsStore, RecentSnapshot
from shared.store.observed import ObservedStore
from shared.store.patience import Patience
from shared.store.pins import PinStore
from shared.store.pipe import Pipe
from shared.store.queue import DecisionQueue, RefreshQueue
from shared.store.quotas import SessionQuota
from shared.store.replicas import Replicas
from shared.store.replies import Replies
from shared.tracing import Tracing

DEFAULT_REDIS = "redis://localhost:6379"

# A web process holds two connections, the pipe and the subscription, or three when the queue has a Redis of its own.
# No request waits longer than 300 ms for Redis. A first one takes ten answers, four here and six in a worker: after
# 55 ms here, and thus some 83 ms there, it begins no other wait, which may take 150 ms.
_ANSWER_S, _REQUEST_S = 0.15, 0.055

# A worker holds at most 1 + 6 connections; its patience is longer, since a decision has its own budget.
_WORKER_QUEUE_CONNECTIONS = 6
_WORKER_PATIENCE_S = 2.0


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
    pins_link: Link | None
    """None in memory mode."""
    connect: Callable[[], None]
    """To be called once in each process that serves: it connects to Redis, so that its first request need not."""
    begin_request: Callable[[], None]
    """To be called at the begin of each request, in its thread: it has all of its patience with Redis."""
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
    queue_client: redis.Redis
    tracing: Tracing


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What a clock process stands on."""

    config: Config
    metrics: RecentSnapshot
    queue: RefreshQueue


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
    patience = Patience(_ANSWER_S, _REQUEST_S)
    pins_link, queue_link = _links(settings, config, patience)
    replies = Replies(queue_link)
    quota = SessionQuota(pins_link, config.limits.sessions_per_minute)
    decisions = DecisionQueue(queue_link, replies, limit=config.limits.waiting_decisions)
    sliding_ttl_s = config.routing.session_ttl_s if config.routing.session_ttl_mode == "sliding" else None
    pins = PinStore(pins_link, sliding_ttl_s=sliding_ttl_s)
    return Web(
        settings=settings,
        config=config,
        affinity=_affinity(config, pins=pins, decisions=decisions, quota=quota, notes=notes, traces=traces),
        failover=_failover(config, CooldownStore(pins_link), pins),
        pins=pins,
        decisions=decisions,
        pins_link=pins_link,
        connect=partial(_connect, pins_link, queue_link, replies),
        begin_request=patience.begin,
        replicas=Replicas(pins_link),
        prices=RecentSnapshot(MetricsStore(pins_link)) if _priced(config) else NoMetrics(),
        observed=_observed(config, pins_link),
        tracing=traces,
    )


def worker(settings: Settings, env: Mapping[str, str]) -> Worker:
    """The parts of a worker process; raises ConfigError."""
    config = load(settings.config, env)
    link = Link(_pipe(_pins_url(settings, config), settings, Patience(_WORKER_PATIENCE_S)), "pins", StoreDown)
    queue_client = connections.waiting_client(
        _queue_url(settings, config),
        connections=_WORKER_QUEUE_CONNECTIONS,
        patience_s=_WORKER_PATIENCE_S,
        verify_tls=settings.redis_tls_verify,
    )
    return Worker(
        config=config,
        pins=PinStore(link),
        metrics=MetricsStore(link),
        cooldowns=CooldownStore(link),
        observed=_observed(config, link),
        queue_client=queue_client,
        tracing=tracing.build(config.tracing, env),
    )


def clock(settings: Settings, env: Mapping[str, str]) -> Clock:
    """The parts of a clock process, which holds one connection to each Redis; raises ConfigError."""
    config = load(settings.config, env)
    # Its patience is short: it has to stop within a second of SIGTERM, and what failed is asked for again.
    pins_link, queue_link = _links(settings, config, Patience(_ANSWER_S))
    return Clock(config=config, metrics=RecentSnapshot(MetricsStore(pins_link)), queue=RefreshQueue(queue_link))


def view(settings: Settings, env: Mapping[str, str]) -> View:
    """The parts of a command that looks at the pool; raises ConfigError."""
    config = load(settings.config, env)
    if config.routing.cache_type is CacheType.MEMORY:
        raise ConfigError(["routing.session_cache.type: is memory; only redis can be looked at from outside"])
    link = Link(_pipe(_pins_url(settings, config), settings, Patience(_WORKER_PATIENCE_S)), "redis", StoreDown)
    return View(config=config, metrics=MetricsStore(link), cooldowns=CooldownStore(link))


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
        pins_link=None,
        connect=_wait_for_nobody,
        begin_request=_wait_for_nobody,
        replicas=None,
        prices=metrics if _priced(config) else NoMetrics(),
        observed=observed if source else None,
        tracing=traces,
    )


def _connect(pins_link: Link, queue_link: Link, replies: Replies) -> None:
    pins_link.answers()
    queue_link.answers()
    replies.connect()


def _wait_for_nobody() -> None:
    """In memory mode there is no Redis."""


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
    named = (model.name for model in catalog.models)
    routed = (name for route in config.routes for name in route.models)  # a wildcard's models are named here only
    return Failover(cooldowns, pins, tuple(dict.fromkeys((*named, *routed))), rules)


def _priced(config: Config) -> bool:
    return any(source.type == Kind.COST for source in config.sources)


def _observed_source(config: Config) -> MetricSource | None:
    return next((source for source in config.sources if source.provider == OBSERVED), None)


def _observed(config: Config, link: Link) -> ObservedStore | None:
    source = _observed_source(config)
    return ObservedStore(link, source.half_life_s, source.kept_s) if source else None


def _pins_url(settings: Settings, config: Config) -> str:
    return settings.redis_url or config.routing.cache_url or DEFAULT_REDIS


def _queue_url(settings: Settings, config: Config) -> str:
    return settings.queue_redis_url or _pins_url(settings, config)


def _links(settings: Settings, config: Config, patience: Patience) -> tuple[Link, Link]:
    """To the pins' Redis and to the queue's, which usually are one and then share a connection."""
    pins_url, queue_url = _pins_url(settings, config), _queue_url(settings, config)
    pipe = _pipe(pins_url, settings, patience)
    queue_pipe = pipe if queue_url == pins_url else _pipe(queue_url, settings, patience)
    return Link(pipe, "pins", StoreDown), Link(queue_pipe, "queue", QueueDown)


def _pipe(url: str, settings: Settings, patience: Patience) -> Pipe:
    pool = connections.pool(url, answer_s=patience.answer_s, verify_tls=settings.redis_tls_verify)
    return Pipe(pool, patience)
