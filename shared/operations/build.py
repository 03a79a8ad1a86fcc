"""Builds what an operator can ask and do."""

import msgspec

from shared.config import Config
from shared.operations.models import ModelOperations
from shared.operations.pool import PoolOperations
from shared.operations.ports import Cooldowns, Drains, Heartbeats, Metrics, Minutes, Pins, Records
from shared.operations.sessions import SessionOperations
from shared.store.jobs.queue_view import QueueView


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can ask of a pool and do to it."""

    sessions: SessionOperations
    models: ModelOperations
    pool: PoolOperations
    stats: Minutes
    """What the pool did in each minute."""


def operations(
    config: Config,
    *,
    pins: Pins,
    metrics: Metrics,
    cooldowns: Cooldowns,
    drains: Drains,
    stats: Minutes,
    records: Records | None = None,
    replicas: Heartbeats | None = None,
    queue: QueueView | None = None,
) -> Operations:
    """The operations on a pool that keeps its things there."""
    routing = config.routing
    sessions = SessionOperations(
        catalog=config.catalog,
        pins=pins,
        records=records,
        ttl_s=routing.session_ttl_seconds,
        renews=routing.session_ttl_mode != "fixed",
    )
    models = ModelOperations(
        catalog=config.catalog,
        routes=config.routes,
        sessions=sessions,
        metrics=metrics,
        cooldowns=cooldowns,
        drains=drains,
    )
    return Operations(sessions=sessions, models=models, pool=PoolOperations(replicas, queue), stats=stats)
