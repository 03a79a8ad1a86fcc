"""What is kept of sessions, as Redis keeps it."""

import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import redis

from shared.domain.session_records import Event, Note, Order, Record, What
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.sessions.records import LISTED, MOST_EVENTS, RecordStore
from tests.harness import RedisServer
from tests.store.conftest import NewEndpoint

SESSION = Session("demo", "acme", ("main:~%",))
NOW = 1_764_000_000.0
TTL_S, KEPT_S = 600, 86400
MOVED = Event(
    at=NOW + 1, what=What.MOVED, model="anthropic/claude-sonnet-4-20250514", left="openai/gpt-4o-mini", why="503",
    route="code_generation", replica="web-7d9f8b6c5-x2x4z-12",
)  # fmt: skip
USED = Note(
    at=NOW, model="openai/gpt-4o-mini", route="code_generation", client="team-a-key", turns=1, input=1_234,
    cached=45_678, output=512, cost_usd=0.0123456789, kept_usd=-0.000000004,
)  # fmt: skip


@pytest.fixture
def records(client: StoreClient, store: redis.Redis) -> RecordStore:  # noqa: ARG001 - empty
    return RecordStore(client, session_ttl_s=TTL_S, kept_s=KEPT_S)


def test_what_several_processes_add_is_one_record(records: RecordStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: records.add({SESSION: USED}), range(20)))
    later = Note(at=NOW + 9, model="a/b", client="another", turns=1, moves=1)

    before = records.add({SESSION: later})

    assert before == {SESSION: "openai/gpt-4o-mini"}
    assert records.read(SESSION) == Record(
        first_used=NOW, last_used=NOW + 9, model="a/b", route=None, client="team-a-key", turns=21, input=24_680,
        cached=913_560, output=10_240, moves=1, cost_usd=0.24691358, kept_usd=-0.00000008,
    )  # fmt: skip


def test_whoever_writes_first_the_client_is_the_one_that_began_the_session(records: RecordStore) -> None:
    for client in ("", "team-a-key", "another"):
        records.add({SESSION: msgspec.structs.replace(USED, client=client)})

    found = records.read(SESSION)
    assert found
    assert found.client == "team-a-key"


def test_a_use_without_an_answer_leaves_the_model_as_it_was(records: RecordStore) -> None:
    records.add({SESSION: USED})

    records.add({SESSION: Note(at=NOW + 1, output=1)})

    found = records.read(SESSION)
    assert found
    assert (found.model, found.route, found.output) == ("openai/gpt-4o-mini", "code_generation", 513)


def test_a_session_of_which_nothing_is_kept_has_no_record_and_no_events(records: RecordStore) -> None:
    assert records.read(SESSION) is None
    assert records.events(SESSION) == []
    assert records.add({SESSION: USED}) == {SESSION: ""}


def test_events_come_back_as_they_were_in_the_order_of_their_times(records: RecordStore) -> None:
    figures: dict[str, str | float] = {"router_ms": 12.5, "rank.1": "a/b", "rank.1.value": 3}
    first = Event(at=NOW, what=What.DECIDED, model='a/"b"', route="ü", facts=figures)
    records.add({SESSION: Note(at=NOW, events=(MOVED, first))})

    by_operator = Event(at=NOW + 2, what=What.EDITED, model="", why="unpin", who="ops")
    records.note(SESSION, by_operator)

    assert records.events(SESSION) == [first, MOVED, by_operator]


def test_what_is_said_of_the_start_of_redis_is_never_before_it(
    own_server: RedisServer, new_endpoint: NewEndpoint
) -> None:
    """In whatever part of its second it was started, and it is asked."""
    own_server.stop()
    time.sleep((0.6 - time.time()) % 1)
    before = time.time()
    own_server.start()
    records = RecordStore(new_endpoint(own_server.url).client(StoreDown), session_ttl_s=TTL_S, kept_s=KEPT_S)

    told = []
    for _ in range(24):
        told.append(records.began())
        time.sleep(0.05)

    assert before < min(told)
    assert max(told) < time.time() + 2


def test_an_event_that_was_written_again_is_one(records: RecordStore) -> None:
    decided = Event(at=NOW + 0.5, what=What.DECIDED, model=MOVED.model)

    for _ in range(2):
        records.add({SESSION: Note(at=NOW + 1, events=(decided,))})

    assert records.events(SESSION) == [decided]


def about(seconds: int) -> range:
    """What may be left of a ttl that was just given."""
    return range(seconds - 5, seconds + 1)


def test_what_an_operator_does_is_no_use_of_a_session(records: RecordStore, store: redis.Redis) -> None:
    records.note(SESSION, MOVED)

    assert records.read(SESSION) is None
    assert records.top(Order.LAST_USE) == []
    assert store.ttl(keys.events(SESSION)) in about(TTL_S + KEPT_S)


def test_record_events_and_lists_end_a_day_after_the_pin(records: RecordStore, store: redis.Redis) -> None:
    records.add({SESSION: Note(at=NOW, model="a/b", cost_usd=1, kept_usd=1, events=(MOVED,))})
    assert store.ttl(keys.record(SESSION)) in about(TTL_S + KEPT_S)
    assert store.ttl(keys.events(SESSION)) in about(TTL_S + KEPT_S)

    records.add({SESSION: msgspec.structs.replace(USED, pin_ttl_s=7200)})

    assert store.ttl(keys.record(SESSION)) in about(7200 + KEPT_S)
    assert store.ttl(keys.events(SESSION)) in about(7200 + KEPT_S)
    assert all(store.ttl(keys.top(order)) in about(TTL_S + KEPT_S) for order in Order)


@pytest.mark.parametrize("note", [USED, Note(at=NOW + 1, output=1), Note(at=0, events=(MOVED,))])
def test_nothing_that_is_added_shortens_the_life_of_a_record(
    records: RecordStore, store: redis.Redis, note: Note
) -> None:
    """An answer's tokens may come a second after the use that says how long its pin lives."""
    records.add({SESSION: msgspec.structs.replace(USED, pin_ttl_s=7200, events=(MOVED,))})

    records.add({SESSION: note})

    assert store.ttl(keys.record(SESSION)) in about(7200 + KEPT_S)
    assert store.ttl(keys.events(SESSION)) in about(7200 + KEPT_S)


def test_a_session_takes_two_kilobytes_at_most_and_a_turn_nothing(records: RecordStore, store: redis.Redis) -> None:
    def taken() -> int:
        held = [store.memory_usage(key, samples=0) or 0 for key in (keys.record(SESSION), keys.events(SESSION))]
        return sum(held)

    figures: dict[str, str | float] = {"router_ms": 123.4}
    for place in (1, 2, 3):
        figures |= {f"rank.{place}": MOVED.model, f"rank.{place}.value": 12.34, f"rank.{place}.age_s": 1234}
    decided = Event(at=NOW, what=What.DECIDED, model=MOVED.model, route="code_generation", facts=figures)
    records.add({SESSION: msgspec.structs.replace(USED, events=(decided,))})
    one_turn = taken()
    for turn in range(100):
        records.add({SESSION: msgspec.structs.replace(USED, at=NOW + turn)})
    many_turns = taken()
    for turn in range(3 * MOST_EVENTS):
        moved = msgspec.structs.replace(MOVED, at=NOW + turn)
        records.add({SESSION: msgspec.structs.replace(USED, at=NOW + turn, moves=1, events=(moved,))})

    assert one_turn <= 1000
    assert (many_turns - one_turn) / 100 <= 1
    assert taken() <= 2048
    assert records.events(SESSION)[-1] == moved


def test_the_newest_fifty_events_are_kept(records: RecordStore) -> None:
    events = [Event(at=n, what=What.BORROWED, model="a/b") for n in range(3 * MOST_EVENTS)]

    records.add({SESSION: Note(at=NOW, events=tuple(events))})

    assert records.events(SESSION) == events[-MOST_EVENTS:]


def test_an_event_that_has_no_room_beside_others_stands_alone(records: RecordStore) -> None:
    huge = msgspec.structs.replace(MOVED, why="x" * 5000)

    records.add({SESSION: Note(at=NOW, events=(MOVED, huge))})

    assert records.events(SESSION) == [huge]


def test_of_what_clients_name_only_so_much_is_kept(records: RecordStore) -> None:
    """A client may bring routes of its own, by names of any length."""
    figures: dict[str, str | float] = {"rank.1": "x" * 600}
    wordy = msgspec.structs.replace(MOVED, route="r" * 5000, facts=figures)
    records.add({SESSION: Note(at=NOW, model="a/b", route="r" * 5000, events=(wordy,))})

    found = records.read(SESSION)
    assert found
    assert found.route == "r" * 64
    assert records.events(SESSION) == [msgspec.structs.replace(MOVED, route="r" * 64)]


def test_sessions_are_listed_by_last_use_cost_and_what_caches_kept(records: RecordStore) -> None:
    def named(*names: str) -> list[Session]:
        return [Session(name) for name in names]

    for name, at, cost, kept in (("a", 1, 5.0, 0.1), ("b", 3, 1.0, 0.3), ("c", 2, 3.0, 0.2)):
        records.add({Session(name): Note(at=at, model="m/x", turns=1, cost_usd=cost, kept_usd=kept)})
    records.add({Session("b"): Note(at=3, cost_usd=9)})

    assert [session for session, _ in records.top(Order.LAST_USE)] == named("b", "c", "a")
    assert [session for session, _ in records.top(Order.COST)] == named("b", "a", "c")
    assert [session for session, _ in records.top(Order.KEPT)] == named("b", "c", "a")
    assert [session for session, _ in records.top(Order.COST, 1, 1)] == named("a")


def test_a_list_is_bounded_and_has_those_that_come_first(records: RecordStore, store: redis.Redis) -> None:
    for begin in range(0, LISTED + 300, 100):
        some = range(begin, begin + 100)
        records.add({Session(f"s{n}"): Note(at=1 + n, cost_usd=LISTED * 9 - n) for n in some})

    assert store.zcard(keys.top(Order.LAST_USE)) == store.zcard(keys.top(Order.COST)) == LISTED
    assert records.top(Order.LAST_USE, 0, 1)[0][0] == Session(f"s{LISTED + 299}")
    assert records.top(Order.COST, 0, 1)[0][0] == Session("s0")
    assert records.top(Order.COST, LISTED - 1, 9)[0][0] == Session(f"s{LISTED - 1}")


def test_a_session_whose_record_has_ended_leaves_the_lists(records: RecordStore, store: redis.Redis) -> None:
    records.add({SESSION: USED, Session("other"): USED})
    store.delete(keys.record(SESSION))

    assert [session for session, _ in records.top(Order.LAST_USE)] == [Session("other")]
    assert store.zcard(keys.top(Order.LAST_USE)) == 1


def test_records_are_walked_in_pages_by_tenant_and_part_of_the_id(records: RecordStore) -> None:
    every = [Session(f"job-{n}*", "acme") for n in range(250)] + [Session("job-1", "acme-2"), Session("job-2")]
    for begin in range(0, len(every), 50):
        records.add(dict.fromkeys(every[begin : begin + 50], USED))

    def walked(match: str) -> set[Session]:
        found, cursor = set(), 0
        while True:
            cursor, some = records.walk(cursor, 40, match)
            found |= {session for session, _ in some}
            if cursor == 0:
                return found

    assert walked("*") == set(every)
    assert walked(keys.matching("acme")) == set(every[:250])
    assert walked(keys.matching("acme", "-24*")) == {Session("job-24*", "acme")}
    assert walked(keys.matching(None, "job-2")) >= {Session("job-2"), Session("job-2*", "acme")}


@pytest.mark.parametrize("key", ["record", "events", "top"])
def test_what_is_of_another_type_counts_as_none(records: RecordStore, store: redis.Redis, key: str) -> None:
    name = {"record": keys.record(SESSION), "events": keys.events(SESSION), "top": keys.top(Order.LAST_USE)}[key]
    store.set(name, b"x", ex=9)
    assert records.read(SESSION) is None
    assert records.events(SESSION) == []
    assert records.top(Order.LAST_USE) == []


def test_what_is_of_another_type_begins_anew(records: RecordStore, store: redis.Redis) -> None:
    for name in (keys.record(SESSION), keys.events(SESSION), *map(keys.top, Order)):
        store.set(name, b"x", ex=9)

    records.add({SESSION: msgspec.structs.replace(USED, events=(MOVED,))})

    assert records.read(SESSION)
    assert records.events(SESSION) == [MOVED]
    assert [session for session, _ in records.top(Order.LAST_USE)] == [SESSION]


@pytest.mark.parametrize(
    ("field", "value"), [("turns", "many"), ("cost", "nan"), ("last", "x"), ("first", "inf"), ("cost", "1e99")]
)
def test_an_unreadable_record_counts_as_none_and_its_sums_begin_anew(
    records: RecordStore, store: redis.Redis, field: str, value: str
) -> None:
    records.add({SESSION: USED})
    store.hset(keys.record(SESSION), field, value)
    assert records.read(SESSION) is None

    records.add({SESSION: USED})

    if field != "first":
        assert records.read(SESSION)


def test_unreadable_events_are_left_out(records: RecordStore, store: redis.Redis) -> None:
    records.add({SESSION: Note(at=NOW, events=(MOVED,))})
    store.rpush(keys.events(SESSION), b"\xff", b"{}", b'[1,"exploded","a/b"]', b"[]", b"[" * 9000)

    assert records.events(SESSION) == [MOVED]


def test_a_redis_without_memory_keeps_what_it_has(own_server: RedisServer, new_endpoint: NewEndpoint) -> None:
    records = RecordStore(new_endpoint(own_server.url).client(StoreDown), session_ttl_s=TTL_S, kept_s=KEPT_S)
    records.add({SESSION: msgspec.structs.replace(USED, events=(MOVED,))})
    known = records.read(SESSION), records.events(SESSION)

    with own_server.client() as own:
        own.config_set("maxmemory", 1)
        with pytest.raises(StoreDown):
            records.add({SESSION: msgspec.structs.replace(USED, events=(MOVED,))})
        own.config_set("maxmemory", 0)

    assert (records.read(SESSION), records.events(SESSION)) == known
