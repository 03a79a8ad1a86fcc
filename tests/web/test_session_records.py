"""What a web process gathers of sessions: what it hands over once a second, and what it drops."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace
from shared.domain.money import Prices, Usage
from shared.domain.pins import Pin
from shared.domain.ranking import Snapshot
from shared.domain.records import Event, Note, What
from shared.domain.sessions import Session
from shared.errors import StoreDown
from web.ops.pool.stats import PoolStats
from web.ops.sessions import records as gathering
from web.ops.sessions.records import MOST_EVENTS, SessionRecords
from web.ops.sessions.watch import LOOK_AFTER_S, SwitchWatch

A, B = "p/a", "p/b"
SESSION = Session("s", "acme")
NOW = 1_764_000_000.0
PINNED = Decision(models=(A, B), route="code", pinned=True, pin=Pin(model_name=A, route_name="code"))
MILLION = 1_000_000


class Known:
    """Prices that stand."""

    def snapshot(self) -> Snapshot:
        return Snapshot(prices={A: Prices(2, 8, 0.5), B: Prices(4, 16, 1)})


class Counted:
    def __init__(self) -> None:
        self.dropped = self.switches = 0

    def records_dropped(self, sessions: int) -> None:
        self.dropped += sessions

    def unexplained_switch(self) -> None:
        self.switches += 1


class Book:
    """Records that can be away; it remembers what it was handed."""

    def __init__(self) -> None:
        self.away = False
        self.heard: list[dict[Session, Note]] = []
        self.known: dict[Session, str] = {}
        self.told: dict[Session, list[Event]] = {}
        self.since = 0.0

    def add(self, notes: Mapping[Session, Note]) -> dict[Session, str]:
        if self.away:
            raise StoreDown("away")
        self.heard.append(dict(notes))
        before = {session: self.known.get(session, "") for session in notes}
        for session, note in notes.items():
            self.known[session] = note.model or before[session]
            self.told.setdefault(session, []).extend(note.events)
        return before

    def began(self) -> float:
        return self.since

    def events(self, session: Session) -> list[Event]:
        if self.away:
            raise StoreDown("away")
        return self.told.get(session, [])

    def note(self, session: Session, event: Event) -> None:
        self.told.setdefault(session, []).append(event)

    def only(self) -> Note:
        ((note,),) = (part.values() for part in self.heard)
        return note


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def counted() -> Counted:
    return Counted()


class Process:
    """A web process whose clock stands until it is turned."""

    def __init__(self, book: Book | None, counted: Counted) -> None:
        self.now = NOW
        self.stats = PoolStats(None)
        self.watch = SwitchWatch(book, counted, self.stats, 600, lambda: self.now)
        self.records = SessionRecords(book, self.watch, counted, Known(), lambda: self.now)

    def decided(self, decision: Decision, session: Session | None = SESSION) -> None:
        self.records.decided(request(session), decision)

    def served(self, model: str, decision: Decision = PINNED, session: Session | None = SESSION) -> None:
        self.records.served(session, decision, model, self.now)

    def flush(self, after_s: float = 0) -> None:
        self.now += after_s
        self.records.flush()


@pytest.fixture
def process(book: Book, counted: Counted) -> Process:
    return Process(book, counted)


def request(session: Session | None) -> RouteRequest:
    provider = Provider(name="p", base_url="http://p", interface="openai")
    return RouteRequest(
        model=Model(A, "a", provider), session=session, routes=(), inline=False, messages=b"[]",
        trace=Trace("r", "t"), client=lambda: "key-1",
    )  # fmt: skip


def decision(**changes: Any) -> Decision:
    return Decision(**{"models": (A, B), "route": "code", "pin": PINNED.pin, **changes})


def test_turns_and_usage_of_a_second_are_one_note(process: Process, book: Book) -> None:
    for _ in range(3):
        process.served(A)
        process.records.used(SESSION, A, Usage(input=1, cached=MILLION, cache_write_5m=1, output=MILLION))
    process.records.used(SESSION, B, Usage(output=MILLION))

    process.flush()
    process.flush()

    note = book.only()
    assert (note.at, note.model, note.route, note.turns) == (NOW, A, "code", 3)
    assert (note.input, note.cached, note.output) == (6, 3 * MILLION, 4 * MILLION)
    assert note.cost_usd == pytest.approx(3 * 8.5 + 16, rel=1e-5)
    assert note.kept_usd == pytest.approx(3 * 1.5, rel=1e-5)
    assert note.events == ()


@pytest.mark.parametrize(
    ("made", "what", "model", "left", "why"),
    [
        (decision(), What.DECIDED, A, None, ""),
        (decision(pinned=True, adopted=True), What.ADOPTED, A, None, ""),
        (decision(redecided="cold"), What.REDECIDED, A, A, "cold"),
        (
            decision(models=(B,), redecided="budget", pin=Pin(model_name=B, route_name="code", left=A, why="budget")),
            What.REDECIDED, B, A, "budget",
        ),
        (decision(pin=None, degraded="router"), What.DEGRADED, A, None, "router"),
        (decision(pin=None), What.DEGRADED, A, None, "config"),
    ],
)  # fmt: skip
def test_a_decision_is_an_event(
    process: Process, book: Book, made: Decision, what: What, model: str, left: str | None, why: str
) -> None:
    process.decided(made)

    process.flush()

    (event,) = book.only().events
    assert (event.what, event.model, event.left, event.why) == (what, model, left, why)
    assert (event.at, event.route) == (NOW, "code")
    assert event.replica
    assert book.only().moves == (1 if left not in {None, model} else 0)


def test_a_new_session_has_its_client_and_what_it_was_decided_by(process: Process, book: Book) -> None:
    process.decided(decision(facts={"router_ms": 12.5}))

    process.flush()

    assert book.only().client == "key-1"
    assert book.only().events[0].facts == {"router_ms": 12.5}


@pytest.mark.parametrize(("kept", "what", "moves"), [(False, What.MOVED, 1), (True, What.BORROWED, 0)])
def test_another_model_that_serves_is_an_event(
    process: Process, book: Book, kept: bool, what: What, moves: int
) -> None:
    process.records.left(SESSION, PINNED, B, "503", kept=kept)
    process.served(B)

    process.flush()

    (event,) = book.only().events
    assert (event.what, event.model, event.left, event.why, event.facts) == (what, B, A, "503", {})
    assert (book.only().moves, book.only().model) == (moves, B)


def test_what_concerns_no_session_or_nothing_that_it_is_pinned_for_is_not_kept(process: Process, book: Book) -> None:
    process.decided(PINNED)
    process.decided(decision(), session=None)
    process.served(A, session=None)
    process.served(A, Decision(models=(A,), alone=True))
    process.records.left(None, PINNED, B, "503", kept=False)
    process.records.left(SESSION, Decision(models=(A, B), alone=True), B, "503", kept=False)

    process.flush()

    assert book.heard == []


def test_many_requests_at_once_that_tell_the_same_are_one_event(process: Process, book: Book) -> None:
    for _ in range(5):
        process.decided(decision())
    for n in range(2 * MOST_EVENTS):
        process.records.left(SESSION, PINNED, f"p/{n}", "503", kept=True)

    process.flush()

    assert len(book.only().events) == MOST_EVENTS
    assert [event.what for event in book.only().events].count(What.DECIDED) == 1


def test_what_redis_does_not_take_is_dropped_and_counted(process: Process, book: Book, counted: Counted) -> None:
    book.away = True
    process.served(A)
    process.served(A, session=Session("other"))

    process.flush()
    book.away = False
    process.flush()

    assert book.heard == []
    assert counted.dropped == 2


def test_events_that_redis_did_not_take_are_written_when_it_is_back_before_newer_ones(
    process: Process, book: Book, counted: Counted
) -> None:
    book.away = True
    process.decided(decision())
    process.served(A)
    process.flush(1)
    process.flush(1)
    process.records.left(SESSION, PINNED, B, "503", kept=True)
    book.away = False

    process.flush(1)
    process.flush(1)

    note = book.only()
    assert [(event.what, event.at) for event in note.events] == [(What.DECIDED, NOW), (What.BORROWED, NOW + 2)]
    assert note.turns == 0
    assert counted.dropped == 2


def test_events_that_redis_does_not_take_for_a_minute_are_dropped(process: Process, book: Book) -> None:
    book.away = True
    process.decided(decision())
    process.flush(gathering.KEEP_EVENTS_S + 1)
    process.flush()
    book.away = False

    process.flush()

    assert book.heard == []


def test_after_an_outage_other_replicas_have_two_seconds_to_write_what_explains_a_switch(
    process: Process, book: Book, counted: Counted
) -> None:
    process.decided(decision())
    process.served(A)
    process.flush(1)
    process.served(B)
    process.flush(1)
    book.away = True
    process.flush(LOOK_AFTER_S)
    book.away = False
    process.flush(LOOK_AFTER_S / 2)
    assert counted.switches == 0

    book.told[SESSION].append(Event(at=NOW + 1, what=What.MOVED, model=B, left=A))
    process.flush(LOOK_AFTER_S / 2)

    assert counted.switches == 0


def test_sessions_beyond_the_limit_are_dropped_and_counted(process: Process, book: Book, counted: Counted) -> None:
    for n in range(gathering.MOST_SESSIONS + 3):
        process.served(A, session=Session(f"s{n}"))

    process.flush()

    assert sum(map(len, book.heard)) == gathering.MOST_SESSIONS
    assert max(map(len, book.heard)) == gathering.AT_ONCE
    assert counted.dropped == 3


def test_where_records_are_off_nothing_is_gathered(counted: Counted) -> None:
    process = Process(None, counted)
    process.decided(decision())
    process.served(A)
    process.records.used(SESSION, A, Usage(output=1))

    process.flush()

    assert process.records._sessions == {}
    assert counted.dropped == 0


def test_a_session_that_keeps_its_model_is_no_switch(process: Process, book: Book, counted: Counted) -> None:
    process.decided(decision())
    for _ in range(3):
        process.served(A)
        process.flush(1)
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 0
    assert [event.what for event in book.told[SESSION]] == [What.DECIDED]


def test_a_switch_with_its_event_is_explained(process: Process, book: Book, counted: Counted) -> None:
    process.decided(decision())
    process.served(A)
    process.flush(1)
    process.records.left(SESSION, PINNED, B, "503", kept=True)
    process.served(B)
    process.flush(1)
    process.served(A)
    process.flush(1)
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 0
    assert [event.what for event in book.told[SESSION]] == [What.DECIDED, What.BORROWED]


def test_a_switch_without_an_event_is_counted_once(
    process: Process, counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    process.decided(decision())
    process.served(A)
    process.flush(1)
    process.served(B)
    process.flush(1)
    assert counted.switches == 0

    process.flush(LOOK_AFTER_S)
    process.served(B)
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 1
    assert process.stats._sums.unexplained == 1
    (line,) = (record for record in caplog.records if record.message == "unexplained switch")
    assert line.fields == {"session": "s", "tenant": "acme", "from": A, "to": B}  # type: ignore[attr-defined]


def test_a_switch_within_a_second_is_seen_too(process: Process, counted: Counted) -> None:
    process.decided(decision())
    process.served(A)
    process.served(B)
    process.served(A)

    process.flush()
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 1


def test_what_an_outage_serves_is_explained_by_the_answer_itself(
    process: Process, book: Book, counted: Counted
) -> None:
    """Also when the default serves in the place of the request's own model, and a second ends in between."""
    process.decided(decision())
    process.served(A)
    process.flush(10)
    degraded = Decision(models=(B,), degraded="router")
    process.decided(degraded)
    process.flush(1)
    process.served(B, degraded)
    process.flush(1)
    process.records.left(SESSION, degraded, "p/default", "503", kept=False)
    process.served("p/default", degraded)
    process.flush(1)
    process.served(A)
    process.flush(1)
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 0
    happened = [(event.what, event.model, event.left) for event in book.told[SESSION]]
    assert happened == [
        (What.DECIDED, A, None), (What.DEGRADED, B, None), (What.BORROWED, "p/default", B)
    ]  # fmt: skip


def test_an_event_that_another_replica_writes_a_second_late_explains_a_switch(
    process: Process, book: Book, counted: Counted
) -> None:
    process.decided(decision())
    process.served(A)
    process.flush(10)
    process.served(B, decision(models=(B,), pinned=True, pin=Pin(model_name=B, route_name="code")))
    process.flush(1)
    book.note(SESSION, Event(at=process.now - 1, what=What.MOVED, model=B, left=A, why="503"))

    process.flush(LOOK_AFTER_S)

    assert counted.switches == 0


def test_an_event_that_was_lost_is_written_from_what_the_pin_says(
    process: Process, book: Book, counted: Counted
) -> None:
    process.decided(decision())
    process.served(A)
    process.flush(10)
    moved = Pin(model_name=B, route_name="code", left=A, why="timeout")
    process.served(B, decision(models=(B,), pinned=True, pin=moved))
    process.flush(1)

    process.flush(LOOK_AFTER_S)

    assert counted.switches == 0
    assert [(event.what, event.why) for event in book.told[SESSION]] == [(What.DECIDED, ""), (What.MOVED, "timeout")]


def test_while_redis_is_away_switches_wait(process: Process, book: Book, counted: Counted) -> None:
    process.decided(decision())
    process.served(A)
    process.served(B)
    process.flush()
    book.away = True
    process.flush(LOOK_AFTER_S)
    assert counted.switches == 0

    book.away = False
    process.flush(LOOK_AFTER_S)

    assert counted.switches == 1


def test_the_first_turn_of_a_pin_that_nobody_has_told_of_is_adopted(process: Process, book: Book) -> None:
    process.served(A)
    process.flush()

    process.flush(LOOK_AFTER_S)

    assert [(event.what, event.model) for event in book.told[SESSION]] == [(What.ADOPTED, A)]
