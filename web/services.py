"""The objects that views use: built once a process, found on the app."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec
from flask import current_app

from shared.config import Config
from shared.env_settings import Settings
from shared.operations.build import Operations
from shared.otlp import metrics as otlp
from shared.otlp.metrics import OtlpMetrics
from shared.periodic import Periodic
from shared.process_dependencies import AdminPins, Background, Responses, WebBase
from shared.routing.affinity import Affinity
from shared.routing.failover import LOOK_EVERY_S, Failover
from shared.tracing import Tracing
from web.access_keys import Access
from web.client_address import ClientAddress
from web.dialects.fields.implicit import ImplicitSessions
from web.dialects.fields.sessions import Sources
from web.ops import freed_memory, heartbeat, metrics, usage
from web.ops.health import Health
from web.ops.heartbeat import Heartbeat
from web.ops.pool import state
from web.ops.pool.history import PoolHistory
from web.ops.pool.state import PoolState
from web.ops.pool.stats import PoolStats
from web.ops.savings import Savings
from web.ops.sessions.records import SessionRecords
from web.ops.sessions.switch_watch import SwitchWatch
from web.ops.switch_budgets import SessionBudgets
from web.ops.usage import UsageRecorder
from web.proxy.cache_keys import CacheKeys, shared_secret
from web.proxy.providers import upstream
from web.proxy.providers.upstream import Upstream
from web.proxy.relay import Relay
from web.proxy.upstream_telemetry import Exchanges

EXTENSION = "plano"


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The services of a web process."""

    settings: Settings
    config: Config
    affinity: Affinity
    access: Access
    sources: Sources
    """Where requests may name their sessions."""
    implicit: ImplicitSessions | None
    """Finds the sessions that nobody names; None: those requests have none."""
    pins: AdminPins
    responses: Responses
    relay: Relay
    failover: Failover
    records: SessionRecords
    stats: PoolStats
    health: Health
    operations: Operations
    """What an operator can ask and do."""
    history: PoolHistory
    tracing: Tracing
    background: tuple[Background, ...]
    """To be started once in each process that serves."""

    shared: Mapping[str, Callable[[], None]]
    """What shares with the pool, once a second and at the end, what its requests have left."""

    def hand_over(self) -> None:
        """Share what this process has gathered in its last second."""
        for share in self.shared.values():
            share()

    @classmethod
    def of(cls, base: WebBase, otlp_metrics: OtlpMetrics | None) -> "Services":
        """The services of a web process, made from its base; without `otlp_metrics` nothing is measured over OTLP."""
        config = base.config
        stats = PoolStats(base.stats)
        watch = SwitchWatch(base.records, metrics, stats, config.routing.session_ttl_seconds)
        records = SessionRecords(base.records, watch, metrics, base.prices)
        recorder = UsageRecorder(
            metrics,
            base.prices,
            base.latencies,
            Savings(metrics, base.ledger, stats),
            budgets=SessionBudgets(base.budgets) if base.budgets else None,
            records=records,
            routes=[route.name for route in config.routes],
            models=[model.name for model in config.catalog.models],
            tenants=[name for key in config.access_keys for name in (key.tenant, *(key.tenants or ())) if name],
        )
        shared = {
            "usage": recorder.publish,
            "records": records.flush,
            "stats": stats.flush,
            "counters": metrics.publish,
        }
        access = Access(
            config.access_keys,
            config.routing.session_cache.tenant_header,
            ClientAddress(base.settings.trusted_proxies),
        )
        providers = Upstream(
            config.listener.timeout_s, outgoing=base.settings.outgoing, ca_files=config.catalog.ca_files
        )
        secret = shared_secret(config.catalog, (key.digest for key in config.access_keys))
        return cls(
            settings=base.settings,
            config=config,
            affinity=base.affinity,
            pins=base.pins,
            responses=base.responses,
            access=access,
            sources=_sources(config.routing.sessions_from),
            implicit=ImplicitSessions(secret) if config.routing.implicit_sessions else None,
            relay=Relay(
                config,
                providers,
                base.failover,
                usage=recorder,
                exchanges=Exchanges(base.tracing, otlp_metrics),
                records=records,
                stats=stats,
                cache_keys=CacheKeys(secret),
                tenant_header=access.tenant_header,
            ),
            failover=base.failover,
            records=records,
            stats=stats,
            health=Health(base),
            operations=base.operations,
            history=PoolHistory(base.operations.stats),
            tracing=base.tracing,
            shared=shared,
            background=(
                *base.background,
                Periodic(LOOK_EVERY_S, base.failover.look, "cooldowns"),
                *(Periodic(usage.EVERY_S, share, name) for name, share in shared.items()),
                *([Periodic(otlp.EVERY_S, otlp_metrics.publish, "OTLP metrics")] if otlp_metrics else ()),
                Periodic(state.EVERY_S, PoolState(base, metrics).look, "pool state"),
                Periodic(upstream.TEND_EVERY_S, providers.tend, "upstream"),
                Periodic(freed_memory.EVERY_S, freed_memory.give_back, "memory"),
            ),
        )


def _sources(named: Sequence[str] | None) -> Sources:
    return (
        Sources() if named is None else Sources(**{source: source in named for source in Sources.__struct_fields__})
    )


def current_services() -> Services:
    """The services of the app that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def heartbeat_of(base: WebBase, port: int) -> tuple[Background, ...]:
    """The heartbeat of this process; nothing in memory mode, where no Redis would hold it."""
    if base.replicas is None:
        return ()
    return (Periodic(heartbeat.EVERY_S, Heartbeat(base.replicas, port, base.config.digest).beat, "heartbeat"),)
