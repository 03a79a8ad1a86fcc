"""A pool's Redis with sessions in it, as an operator's tests need it."""

import time
from collections.abc import Sequence
from pathlib import Path

import redis

from shared.config import Config, load
from shared.domain.pins import Pin
from shared.domain.session_records import Event, Note, What
from shared.domain.sessions import Session
from shared.operations.build import Operations, operations
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.drains import DrainStore
from shared.store.jobs.queue_view import QueueView
from shared.store.metrics.pool_stats import StatsStore
from shared.store.metrics.snapshot import MetricsStore
from shared.store.pin_admin import PinAdmin
from shared.store.queue import QUEUE
from shared.store.sessions.records import RecordStore
from shared.store.web_replicas import Replicas

CONFIG = """
version: v0.4.0
model_providers:
  - {model: acme/a, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}
  - {model: acme/b, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}
  - {model: "house/*", base_url: "http://127.0.0.1:1/v1", provider_interface: openai}
model_aliases: {clever: {target: acme/b}}
routing_preferences:
  - {name: code, description: d, models: [acme/a, acme/b, house/c]}
"""
TTL_S, KEPT_S = 600, 86400


def records(client: StoreClient) -> RecordStore:
    """The records of a pool."""
    return RecordStore(client, session_ttl_s=TTL_S, kept_s=KEPT_S)


def load_config(path: Path, routing: str = "") -> Config:
    """The config."""
    file = path / "operating.yaml"
    file.write_text(CONFIG + routing)
    return load(file, {})


def operating(client: StoreClient, path: Path, routing: str = "", *, recorded: bool = True) -> Operations:
    """The operations on a pool of this config."""
    return operations(
        load_config(path, routing),
        pins=PinAdmin(client),
        metrics=MetricsStore(client),
        cooldowns=CooldownStore(client),
        drains=DrainStore(client),
        records=records(client) if recorded else None,
        stats=StatsStore(client),
        replicas=Replicas(client),
        queue=QueueView(client, QUEUE),
    )


def used(
    client: StoreClient, session: Session, model: str, *, ago_s: float = 0, cost_usd: float = 0.0, pinned: bool = True
) -> None:
    """A session that a model has served, so long ago."""
    at = time.time() - ago_s
    event = Event(at=at, what=What.DECIDED, model=model, route="code")
    note = Note(
        at=at,
        model=model,
        route="code",
        client="team",
        turns=1,
        input=10,
        cached=20,
        output=3,
        cost_usd=cost_usd,
        kept_usd=0.5,
        events=(event,),
    )
    records(client).add({session: note})
    if pinned:
        PinAdmin(client).put(keys.affinity(session).encode(), Pin(model_name=model, route_name="code"), TTL_S)


def pin_of(store: redis.Redis, session: Session) -> bytes | None:
    """What stands under the key of its pin."""
    value: bytes | None = store.get(keys.affinity(session))  # type: ignore[assignment]  # not awaited
    return value


def ids(states: Sequence[object]) -> list[str]:
    """The ids of sessions."""
    return [state.session.id for state in states]  # type: ignore[attr-defined]  # SessionState
