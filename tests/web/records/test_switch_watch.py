"""Every switch of a session's model has an event that explains it, or is counted."""

import pytest

from shared.domain.decisions import Decision
from shared.domain.pins import Pin
from shared.domain.session_records import Event, What
from tests.web.records.recorded import NOW, PINNED, SESSION, A, B, Book, Counted, Process, decision
from web.ops.sessions.switch_watch import LOOK_AFTER_S


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
