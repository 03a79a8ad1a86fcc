"""What has happened to a session, as people read it."""

import pytest

from shared.domain.session_records import Event, What
from shared.operations.words import clock, counted, figures, sentence, span

A, B = "p/a", "p/b"


def event(what: What, why: str = "", left: str | None = A, **fields: object) -> Event:
    return Event(at=0, what=what, model=B, left=left, why=why, **fields)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (event(What.DECIDED, left=None, route="code"), "was given p/b by the route code"),
        (event(What.DECIDED, left=None), "was given p/b, without a route"),
        (event(What.ADOPTED, left=None), "went on with p/b, as another replica had decided"),
        (event(What.ADOPTED, "expired"), "went on with p/b in place of p/a: its last pin had ended"),
        (event(What.ADOPTED, "lost"), "went on with p/b in place of p/a: Redis had lost its last pin"),
        (event(What.MOVED, "503"), "moved from p/a to p/b: p/a answered 503"),
        (event(What.MOVED, "timeout"), "moved from p/a to p/b: p/a sent no byte in time"),
        (event(What.MOVED, "cooling", left=None), "moved to p/b: its model was sitting out"),
        (event(What.BORROWED, "429"), "was answered once by p/b in place of p/a, and kept its pin: p/a answered 429"),
        (event(What.REDECIDED, "cold"), "was decided anew: p/b in place of p/a: its prompt cache had ended"),
        (event(What.REDECIDED, "drained"), "moved from p/a to p/b: p/a was being drained"),
        (
            event(What.DEGRADED, "redis", None),
            "was answered once by the request's own model, p/b: Redis did not answer",
        ),
        (event(What.MOVED, "what nobody knows"), "moved from p/a to p/b: what nobody knows"),
        (
            event(What.MOVED, "503", facts={"dropped": "reasoning"}),
            "moved from p/a to p/b: p/a answered 503; it was sent no reasoning of other models",
        ),
        (event(What.EDITED, "pin", who="ann"), "ann pinned it to p/b in place of p/a"),
        (event(What.EDITED, "hold", None, who="ann", facts={"reason": "a look"}), "ann held it at p/b: a look"),
        (event(What.EDITED, "release", None), "an operator ended the hold at p/b"),
        (event(What.EDITED, "unpin", who="ann"), "ann ended its pin"),
        (event(What.EDITED, "later", None), "an operator changed it (later)"),
    ],
)  # fmt: skip
def test_an_event_is_a_sentence(happened: Event, words: str) -> None:
    assert sentence(happened) == words


def test_each_kind_of_event_has_its_words() -> None:
    """A kind that is new in a later version is the only one that may lack them."""
    assert all(B in sentence(event(what, "pin")) for what in What)


def test_what_a_decision_was_made_by_is_said_in_short() -> None:
    facts: dict[str, str | float] = {
        "router_ms": 26.4,
        "rank.1": A,
        "rank.1.value": 0.25,
        "rank.1.age_s": 3.0,
        "rank.2": B,
        "rank.2.why": "missing",
    }

    assert figures(event(What.DECIDED, facts=facts)) == (
        "the router took 26 ms; 1 p/a (0.25, 3 s old), 2 p/b (missing)"
    )
    assert figures(event(What.DECIDED, facts={"router_ms": "odd"})) == ""
    assert figures(event(What.DECIDED)) == ""


def test_times_and_numbers_are_as_people_say_them() -> None:
    assert [span(seconds) for seconds in (-1, 59, 60, 119, 120, 3600, 7300)] == [
        "0 s", "59 s", "1 min", "119 s", "2 min", "1 h", "2 h",
    ]  # fmt: skip
    assert clock(1769860800) == "2026-01-31 12:00:00"
    assert [counted(number, "turn") for number in (0, 1, 2)] == ["0 turns", "1 turn", "2 turns"]
