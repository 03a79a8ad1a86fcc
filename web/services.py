"""The objects that views use: built once a process, found on the app."""

from collections.abc import Sequence
from typing import cast

import msgspec
from flask import current_app

from shared.config import Config
from shared.otlp import metrics as otlp
from shared.otlp.metrics import OtlpMetrics
from shared.periodic import Periodic
from shared.process_objects import AdminPins, Background, Responses, WebBase
from shared.routing.affinity import Affinity
from shared.routing.failover import LOOK_EVERY_S, Failover
from shared.settings import Settings
from shared.tracing import Tracing
from web.access_keys import Access
from web.client_address import ClientAddress
from web.dialects.fields.implicit import ImplicitSessions
from web.dialects.fields.sessions import Sources
from web.ops import gathered, heartbeat, metrics, pool_state, usage
from web.ops.budgets import SessionBudgets
from web.ops.health import Health
from web.ops.heartbeat import Heartbeat
from web.ops.pool_state import PoolState
from web.ops.savings import Savings
from web.ops.usage import UsageRecorder
from web.proxy.cache_keys import CacheKeys, shared_secret
from web.proxy.exchanges import Exchanges
from web.proxy.providers import upstream
from web.proxy.providers.upstream import Upstream
from web.proxy.relay import Relay
from web.server import freed_memory

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
    health: Health
    tracing: Tracing
    background: tuple[Background, ...]
    """To be started once in each process that serves."""

    @classmethod
    def of(cls, base: WebBase, otlp_metrics: OtlpMetrics | None) -> "Services":
        """The services of a web process, made from its base; without `otlp_metrics` nothing is measured over OTLP."""
        config = base.config
        recorder = UsageRecorder(
            metrics,
            base.prices,
            base.latencies,
            Savings(metrics, base.ledger),
            budgets=SessionBudgets(base.budgets) if base.budgets else None,
            routes=[route.name for route in config.routes],
            models=[model.name for model in config.catalog.models],
            tenants=[name for key in config.access_keys for name in (key.tenant, *(key.tenants or ())) if name],
        )
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
                cache_keys=CacheKeys(secret),
                tenant_header=access.tenant_header,
            ),
            failover=base.failover,
            health=Health(base),
            tracing=base.tracing,
            background=(
                *base.background,
                Periodic(LOOK_EVERY_S, base.failover.look, "cooldowns"),
                Periodic(usage.EVERY_S, recorder.publish, "usage"),
                Periodic(gathered.EVERY_S, metrics.publish, "counters"),
                *([Periodic(otlp.EVERY_S, otlp_metrics.publish, "OTLP metrics")] if otlp_metrics else ()),
                Periodic(pool_state.EVERY_S, PoolState(base, metrics).look, "pool state"),
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
