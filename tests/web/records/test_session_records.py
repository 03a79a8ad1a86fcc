"""What a web process gathers of sessions: what it hands over once a second, and what it drops."""

import pytest

from shared.domain.decisions import Decision
from shared.domain.money import Usage
from shared.domain.pins import Pin
from shared.domain.session_records import What
from shared.domain.sessions import Session
from tests.web.records.recorded import NOW, PINNED, SESSION, A, B, Book, Counted, Process, decision
from web.ops.sessions import records as gathering
from web.ops.sessions.records import MOST_EVENTS

MILLION = 1_000_000


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
