"""Sessions, as an operator lists, finds and changes them."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.domain.pins import UNKNOWN_TURNS, Pin
from shared.domain.session_records import Order, What
from shared.domain.sessions import Session
from shared.errors import NoPin, NoSession, UnknownModel
from shared.operations.operator_identity import Operator
from shared.operations.sessions import Filter, SessionOperations
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.pin_admin import PinAdmin
from tests.store.operating import KEPT_S, TTL_S, ids, operating, pin_of, used

ANN = Operator("ann", "it was slow")
WEEK_S = 7 * 86400
ONE, TWO, THREE = Session("one", "acme"), Session("two"), Session("three", "acme", ("main",))


@pytest.fixture
def sessions(client: StoreClient, tmp_path: Path) -> SessionOperations:
    return operating(client, tmp_path).sessions


@pytest.fixture
def three(client: StoreClient) -> None:
    used(client, ONE, "acme/a", ago_s=30, cost_usd=1.0)
    used(client, TWO, "acme/b", ago_s=20, cost_usd=3.0)
    used(client, THREE, "acme/a", ago_s=10, cost_usd=2.0)


@pytest.mark.usefixtures("three")
def test_the_sessions_of_an_order_come_with_their_pins(sessions: SessionOperations) -> None:
    by_use, by_cost = sessions.page(), sessions.page(Order.COST)

    assert (ids(by_use.sessions), by_use.after) == (["three", "two", "one"], 0)
    assert ids(by_cost.sessions) == ["two", "three", "one"]
    first = by_use.sessions[0]
    assert (first.session, first.model, first.pin) == (THREE, "acme/a", Pin(model_name="acme/a", route_name="code"))
    assert first.record is not None
    assert (first.record.turns, first.record.cost_usd) == (1, 2.0)
    assert 0 < (first.ttl_s or 0) <= TTL_S


@pytest.mark.usefixtures("three")
def test_a_page_says_where_the_next_one_begins(sessions: SessionOperations) -> None:
    first = sessions.page(count=2)
    rest = sessions.page(offset=first.after, count=2)

    assert (ids(first.sessions), first.after) == (["three", "two"], 2)
    assert (ids(rest.sessions), rest.after) == (["one"], 0)


def test_pages_follow_each_other_to_the_end(client: StoreClient, sessions: SessionOperations) -> None:
    """More sessions than are looked at in one round trip, of which every third is wanted."""
    for n in range(250):
        used(client, Session(f"s{n}"), "acme/a" if n % 3 else "acme/b", ago_s=300 - n)
    wanted, seen, after = Filter(model="acme/b"), list[str](), 0
    while True:
        page = sessions.page(offset=after, count=20, wanted=wanted)
        seen += ids(page.sessions)
        after = page.after
        if after == 0:
            break

    assert seen == [f"s{n}" for n in reversed(range(0, 250, 3))]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(tenant="acme"), {"one", "three"}),
        (Filter(model="acme/b"), {"two"}),
        (Filter(text="re"), {"three"}),
        (Filter(text="*"), set()),
        (Filter(tenant="a"), set()),
        (Filter(tenant="acme", model="acme/b"), set()),
        (Filter(), {"one", "two", "three"}),
        (Filter(ended=True), {"one", "two", "three", "gone"}),
        (Filter(ended=True, text="gone"), {"gone"}),
    ],
)
def test_filters_hold_for_pages_and_for_searches(
    client: StoreClient, sessions: SessionOperations, wanted: Filter, found: set[str]
) -> None:
    used(client, Session("gone"), "acme/a", pinned=False)

    assert set(ids(sessions.page(wanted=wanted).sessions)) == found
    assert set(ids(sessions.search(wanted=wanted).sessions)) == found


def test_a_search_passes_all_that_there_are(client: StoreClient, sessions: SessionOperations) -> None:
    """The sessions that nothing is kept of, too: they have pins."""
    pins = PinAdmin(client)
    for n in range(3000):
        pins.put(keys.affinity(Session(f"s{n}", "acme")).encode(), Pin(model_name="acme/a", route_name=None), 60)
    used(client, ONE, "acme/a")
    seen, cursor, looks = set[str](), 0, 0
    while True:
        page = sessions.search(cursor, 100)
        seen |= set(ids(page.sessions))
        cursor, looks = page.after, looks + 1
        if cursor == 0:
            break

    assert seen == {*(f"s{n}" for n in range(3000)), "one"}
    assert looks > 1


@pytest.mark.usefixtures("three")
def test_without_records_there_are_the_pins(client: StoreClient, tmp_path: Path) -> None:
    sessions = operating(client, tmp_path, recorded=False).sessions

    page = sessions.page()

    assert set(ids(page.sessions)) == {"one", "two", "three"}
    assert [state.record for state in page.sessions] == [None] * 3
    assert sessions.timeline(ONE).events == ()
    assert sessions.pin(ONE, "acme/b", ANN).model == "acme/b"


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("recorded", [True, False])
def test_of_some_sessions_those_come_of_which_something_is_known(
    client: StoreClient, tmp_path: Path, recorded: bool
) -> None:
    used(client, Session("gone"), "acme/a", pinned=False)
    sessions = operating(client, tmp_path, recorded=recorded).sessions

    states = sessions.known([THREE, Session("gone"), Session("three", "acme"), TWO])

    assert ids(states) == (["three", "gone", "two"] if recorded else ["three", "two"])
    assert [state.pin is None for state in states] == ([False, True, False] if recorded else [False, False])


def test_of_a_session_that_nobody_knows_nothing_can_be_said(sessions: SessionOperations) -> None:
    with pytest.raises(NoSession, match="Nothing is known of the session 'none' of the tenant 'acme'"):
        sessions.timeline(Session("none", "acme"))
    for change in (sessions.unpin, sessions.hold, sessions.release):
        with pytest.raises(NoPin, match="There is no pin of the session 'three', thread 'x/y'"):
            change(Session("three", None, ("x", "y")), ANN)


@pytest.mark.usefixtures("three")
def test_a_session_is_pinned_to_another_model_and_that_is_an_event(
    sessions: SessionOperations, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "plano.events")

    state = sessions.pin(ONE, "clever", ANN)
    timeline = sessions.timeline(ONE)

    assert state.model == timeline.state.model == "acme/b"
    assert state.pin == Pin(
        model_name="acme/b", route_name="code", foreign_turns=UNKNOWN_TURNS, left="acme/a", why="pin"
    )
    event = timeline.events[-1]
    assert (event.what, event.model, event.left, event.why, event.who) == (
        What.EDITED, "acme/b", "acme/a", "pin", "ann",
    )  # fmt: skip
    assert event.facts == {"reason": "it was slow"}
    assert abs(event.at - time.time()) < 60
    assert caplog.records[-1].fields["who"] == "ann"  # type: ignore[attr-defined]  # log_fields.fields


def test_a_session_without_a_pin_can_be_given_one_for_its_own_time(
    sessions: SessionOperations, store: redis.Redis
) -> None:
    sessions.pin(Session("new"), "a", ANN, ttl_s=5000)

    assert pin_of(store, Session("new")) == b'{"model_name":"acme/a","route_name":null}'
    assert 4000 < store.ttl("plano:affinity:new") <= 5000


def test_what_is_kept_of_a_session_outlives_the_pin_that_an_operator_gave_it(
    client: StoreClient, sessions: SessionOperations, store: redis.Redis
) -> None:
    """Neither a use nor another change shortens that; what began after the pin lives as long."""
    new, kept = Session("new"), (keys.record(Session("new")), keys.events(Session("new")))
    sessions.pin(new, "acme/a", ANN, ttl_s=WEEK_S)
    pinned_s = store.ttl(keys.events(new))

    used(client, new, "acme/a", pinned=False)
    used_s = [store.ttl(key) for key in kept]
    for change in (sessions.hold, sessions.release, sessions.unpin):
        change(new, ANN)

    least = WEEK_S + KEPT_S - 60
    assert (pinned_s > least, [each > least for each in used_s]) == (True, [True, True])
    assert [store.ttl(key) > least for key in kept] == [True, True]


def test_what_was_lost_of_a_session_is_kept_anew_for_as_long_as_its_pin_has_left(
    sessions: SessionOperations, store: redis.Redis
) -> None:
    sessions.pin(ONE, "acme/a", ANN, ttl_s=WEEK_S)
    store.delete(keys.events(ONE))

    sessions.hold(ONE, ANN)

    assert WEEK_S + KEPT_S - 60 < store.ttl(keys.events(ONE)) <= WEEK_S + KEPT_S


def test_where_use_renews_pins_it_renews_them_for_that_time(
    client: StoreClient, store: redis.Redis, tmp_path: Path
) -> None:
    sessions = operating(client, tmp_path, "routing: {session_ttl_mode: sliding}\n").sessions

    sessions.pin(Session("new"), "acme/a", ANN, ttl_s=5000)

    assert b'"ttl_s":5000' in (pin_of(store, Session("new")) or b"")


@pytest.mark.usefixtures("three")
def test_a_model_that_is_not_configured_is_no_place_for_a_session(
    sessions: SessionOperations, store: redis.Redis
) -> None:
    before = pin_of(store, ONE)

    with pytest.raises(UnknownModel):
        sessions.pin(ONE, "nobody/x", ANN)

    assert pin_of(store, ONE) == before
    assert [event.what for event in sessions.timeline(ONE).events] == [What.DECIDED]


@pytest.mark.usefixtures("three")
def test_a_session_is_held_and_released_and_its_pin_ends_as_it_would_have(
    sessions: SessionOperations, store: redis.Redis
) -> None:
    store.expire(keys.affinity(ONE), 77)

    held, again = sessions.hold(ONE, ANN), sessions.hold(ONE, ANN)
    ttl_s = store.ttl(keys.affinity(ONE))
    free = sessions.release(ONE, ANN)

    assert [state.pin and state.pin.held for state in (held, again, free)] == [True, True, False]
    assert 0 < ttl_s <= 77
    assert [event.why for event in sessions.timeline(ONE).events] == ["", "hold", "release"]


@pytest.mark.usefixtures("three")
def test_what_was_held_stays_held_at_its_new_model(sessions: SessionOperations) -> None:
    sessions.hold(ONE, ANN)

    state = sessions.pin(ONE, "acme/b", ANN)

    assert state.pin is not None
    assert (state.pin.model_name, state.pin.held) == ("acme/b", True)


@pytest.mark.usefixtures("three")
def test_a_pin_that_is_ended_is_gone_and_its_record_stays(sessions: SessionOperations, store: redis.Redis) -> None:
    sessions.unpin(ONE, ANN)

    assert pin_of(store, ONE) is None
    found = sessions.timeline(ONE).state
    assert (found.pin, found.ttl_s, found.model) == (None, None, "acme/a")
    last = sessions.timeline(ONE).events[-1]
    assert (last.what, last.model, last.left, last.why) == (What.EDITED, "", "acme/a", "unpin")


def test_what_cannot_be_read_as_a_pin_can_be_replaced_and_ended(
    sessions: SessionOperations, store: redis.Redis
) -> None:
    for value in (b"\xff", b'{"model_name":1}'):
        store.set("plano:affinity:odd", value, ex=60)

        with pytest.raises(NoPin):
            sessions.hold(Session("odd"), ANN)
        sessions.unpin(Session("odd"), ANN)

        assert not store.exists("plano:affinity:odd")
    store.lpush("plano:affinity:odd", "x")
    store.expire("plano:affinity:odd", 60)

    assert sessions.pin(Session("odd"), "acme/a", ANN).model == "acme/a"


@pytest.mark.usefixtures("three")
def test_a_hold_stands_although_the_pin_is_used_all_the_time(
    client: StoreClient, tmp_path: Path, store: redis.Redis
) -> None:
    """Another process changes the pin between the look and the change: it is looked at again."""

    class Busy(PinAdmin):
        def replace(self, key: bytes, seen: Pin, to: Pin) -> bool:
            if not tried:
                tried.append(1)
                super().put(key, Pin(model_name="acme/b", route_name="code"), TTL_S)
            return super().replace(key, seen, to)

    tried: list[int] = []
    operations: Any = operating(client, tmp_path)
    operations.sessions._pins = Busy(client)

    assert operations.sessions.hold(ONE, ANN).model == "acme/b"
    assert b'"held":true' in (pin_of(store, ONE) or b"")
