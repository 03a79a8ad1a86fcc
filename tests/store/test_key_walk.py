"""Walks over the keys of many sessions: pinned requests wait for Redis and for this process meanwhile."""

import pytest
import redis

from shared.domain.pins import Pin
from shared.domain.session_records import Note
from shared.domain.sessions import Session
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.pin_admin import PinAdmin
from shared.store.sessions.key_walk import AT_ONCE
from shared.store.sessions.records import RecordStore

SESSIONS = [Session(f"s{n}") for n in range(2 * AT_ONCE + 1)]
TTL_S = 60


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def pins(client: StoreClient, store: redis.Redis, pauses: list[float]) -> PinAdmin:
    """With a pin of each session."""
    admin = PinAdmin(client, pauses.append)
    for session in SESSIONS:
        admin.put(keys.affinity(session).encode(), Pin(model_name="m", route_name="r"), TTL_S)
    store.config_resetstat()
    return admin


def calls(store: redis.Redis, command: str) -> int:
    return int(store.info("commandstats")[f"cmdstat_{command}"]["calls"])


def test_after_some_pins_others_have_redis_for_as_long_as_they_took(
    pins: PinAdmin, store: redis.Redis, pauses: list[float]
) -> None:
    found = pins.under([keys.affinity(session).encode() for session in SESSIONS])

    assert len(found) == len(SESSIONS)
    assert len(pauses) == calls(store, "mget") == 3
    assert min(pauses) > 0
    assert AT_ONCE <= 100


def test_so_they_have_after_each_look_for_pins(pins: PinAdmin, store: redis.Redis, pauses: list[float]) -> None:
    """Even one that finds nothing, as in a search: Redis has looked at every key."""
    cursor = pins.page(0, 20, "*nobody*")[0]
    while cursor:
        cursor = pins.page(cursor, 20, "*nobody*")[0]

    assert len(pauses) == calls(store, "scan") > 5
    assert min(pauses) > 0


def test_so_they_have_while_records_are_walked(client: StoreClient, store: redis.Redis, pauses: list[float]) -> None:
    records = RecordStore(client, session_ttl_s=TTL_S, kept_s=TTL_S, pause=pauses.append)
    for session in SESSIONS:
        records.add({session: Note(at=1.0, model="m", turns=1)})
    store.config_resetstat()

    cursor, found = records.walk(0, 10 * len(SESSIONS))

    assert (cursor, len(found)) == (0, len(SESSIONS))
    assert len(pauses) == calls(store, "scan") + 3 == 4
    assert min(pauses) > 0
