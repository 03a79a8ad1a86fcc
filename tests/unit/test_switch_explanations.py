"""Which switches of a session's model its events explain."""

import msgspec
import pytest

from shared.domain.pins import Pin
from shared.domain.session_records import Event, What
from shared.domain.sessions import Session
from web.ops.sessions.switch_explanations import Switch, explained, recovered

NOW, TTL_S, BEGAN = 1_764_000_000.0, 600.0, 0.0
A, B, C = "p/a", "p/b", "p/c"


def happened(what: What, model: str, ago_s: float, left: str | None = None) -> Event:
    return Event(at=NOW - ago_s, what=what, model=model, left=left)


def switch(to: str, left: str = A, pin: Pin | None = None) -> Switch:
    return Switch(session=Session("s"), left=left, to=to, at=NOW, pin=pin)


def pinned(model: str, left: str | None = None, why: str | None = None) -> Pin:
    return Pin(model_name=model, route_name="code", left=left, why=why)


@pytest.mark.parametrize("what", [What.DECIDED, What.ADOPTED, What.MOVED, What.REDECIDED, What.EDITED])
def test_the_last_lasting_event_explains_its_model(what: What) -> None:
    events = [happened(What.DECIDED, A, 100), happened(what, B, 50)]

    assert explained(switch(B), events)
    assert not explained(switch(C), events)


def test_a_model_that_was_left_is_explained_no_more() -> None:
    events = [happened(What.DECIDED, A, 100), happened(What.MOVED, B, 50)]

    assert not explained(switch(A, left=B, pin=pinned(A)), events)


def test_a_request_that_came_before_its_session_moved_may_still_be_served_by_the_model_that_was_left() -> None:
    events = [happened(What.DECIDED, A, 100), happened(What.MOVED, B, -60)]

    assert explained(switch(A, left=B, pin=pinned(A)), events)


def test_clocks_of_replicas_may_differ_by_some_seconds() -> None:
    events = [happened(What.DECIDED, A, 100), happened(What.MOVED, B, -3)]

    assert explained(switch(A, left=B), events)
    assert explained(switch(B), events)


@pytest.mark.parametrize("what", [What.BORROWED, What.DEGRADED])
def test_a_session_goes_back_to_its_pin_after_it_was_served_by_another_model_once(what: What) -> None:
    once = happened(what, B, 50)

    assert explained(switch(A, left=B, pin=pinned(A)), [happened(What.DECIDED, A, 100), once])
    assert not explained(switch(B, left=A, pin=pinned(A)), [happened(What.DECIDED, A, 100), once])


@pytest.mark.parametrize("earlier", [[], [happened(What.DECIDED, C, 100)]])
def test_a_worker_may_have_made_the_pin_of_a_request_that_had_given_up(earlier: list[Event]) -> None:
    events = [*earlier, happened(What.DEGRADED, B, 50)]

    told = recovered(switch(A, left=B, pin=pinned(A)), events, TTL_S, BEGAN)

    assert told
    assert (told.what, told.model, told.left, told.why) == (What.ADOPTED, A, B, "")
    known = [happened(What.DECIDED, C, 100), *events]
    assert recovered(switch(A, left=C, pin=pinned(A)), known, TTL_S, BEGAN) is None
    assert recovered(switch(A, left=B, pin=pinned(A)), [*events, happened(What.DECIDED, C, 20)], TTL_S, BEGAN) is None


def test_that_a_session_has_moved_on_since_says_nothing_of_how_it_came_to_its_model() -> None:
    """Who had made its pin was killed; then another model answered once."""
    once, since = happened(What.BORROWED, B, 2.5), happened(What.MOVED, C, -3, left=A)

    told = recovered(switch(A, left=B, pin=pinned(A)), [once, since], TTL_S, BEGAN)

    assert told
    assert (told.what, told.model, told.left, told.why) == (What.ADOPTED, A, B, "")
    before = happened(What.MOVED, B, 20, left=A)
    assert recovered(switch(A, left=B, pin=pinned(A)), [before, since], TTL_S, BEGAN) is None


def test_the_pin_tells_of_a_move_whose_event_is_lost() -> None:
    moved, cold = pinned(B, left=A, why="503"), pinned(B, left=A, why="cold")
    events = [happened(What.DECIDED, A, 100)]

    assert recovered(switch(B, pin=moved), events, TTL_S, BEGAN) == Event(
        at=NOW, what=What.MOVED, model=B, left=A, why="503", route="code"
    )
    told = recovered(switch(B, pin=cold), events, TTL_S, BEGAN)
    assert told
    assert told.what is What.REDECIDED


def test_a_pin_that_tells_of_no_move_was_made_when_the_last_one_had_ended() -> None:
    ended, alive = [happened(What.DECIDED, A, TTL_S + 1)], [happened(What.DECIDED, A, TTL_S - 60)]

    for events in (ended, [*ended, happened(What.MOVED, C, 20)]):  # which has not made it last longer
        told = recovered(switch(B, pin=pinned(B)), events, TTL_S, BEGAN)

        assert told
        assert (told.what, told.why, told.left) == (What.ADOPTED, "expired", A)
    assert recovered(switch(B, pin=pinned(B)), alive, TTL_S, BEGAN) is None


def test_where_not_even_the_beginning_of_a_session_is_known_redis_has_lost_it() -> None:
    told = recovered(switch(B, pin=pinned(B)), [], TTL_S, BEGAN)

    assert told
    assert (told.what, told.why, told.left) == (What.ADOPTED, "lost", A)


def test_what_was_noted_before_redis_began_says_nothing_of_a_pin_that_it_has_lost() -> None:
    """A replica may write late what had happened before."""
    events = [happened(What.DECIDED, C, 40), happened(What.MOVED, A, 20)]

    told = recovered(switch(B, pin=pinned(B)), events, TTL_S, NOW - 10)

    assert told
    assert (told.what, told.why, told.left) == (What.ADOPTED, "lost", A)
    assert recovered(switch(B, pin=pinned(B)), events, TTL_S, NOW - 30) is None


def test_a_process_knows_of_its_own_decision_though_its_note_was_dropped() -> None:
    made_here = msgspec.structs.replace(switch(B, pin=pinned(B)), made_here=True)

    told = recovered(made_here, [happened(What.DECIDED, A, 20)], TTL_S, BEGAN)

    assert told
    assert (told.what, told.left) == (What.ADOPTED, A)


def test_a_session_of_which_nothing_is_known_has_a_pin_that_another_replica_made() -> None:
    told = recovered(switch(B, left="", pin=pinned(B)), [], TTL_S, BEGAN)

    assert told
    assert (told.what, told.left) == (What.ADOPTED, None)


def test_a_model_that_no_pin_names_has_no_explanation_but_an_event() -> None:
    other = switch(C, pin=None)

    assert not explained(other, [happened(What.DECIDED, A, 100)])
    assert recovered(other, [happened(What.DECIDED, A, 2 * TTL_S)], TTL_S, BEGAN) is None
    assert explained(msgspec.structs.replace(other, to=A, left=C), [happened(What.DECIDED, A, 100)])
