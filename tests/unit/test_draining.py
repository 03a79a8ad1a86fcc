"""Who serves in place of a drained model, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from shared.domain.availability.drains import Drain
from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace, Turn
from shared.domain.ranking import Measure, Snapshot, Standing, explain
from shared.domain.routes import Prefer
from shared.errors import BadRequest
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.pins import MemoryPins
from shared.routing.failover import Failover, OnFailure, Rules

PROVIDER = Provider(name="p", base_url="http://127.0.0.1:9/v1", interface="openai")
NAMES = ("p/a", "p/b", "p/c", "p/d")
PINNED = Decision(models=NAMES, route="r", pinned=True)
TRACE = Trace("id", "00-" + "1" * 32 + "-" + "1" * 16 + "-01")


@dataclass
class Drains:
    """What is drained."""

    known: Mapping[str, Drain]


@dataclass
class Said:
    """A turn of which nothing else counts here."""

    is_bound: bool = False
    is_in_tool_loop: bool = False


def drained(*names: str, now: bool = False) -> Drains:
    return Drains({name: Drain(since=1, now=now) for name in names})


def request(turn: Said | None = None, **fields: Any) -> RouteRequest:
    model = Model("p/a", "a", PROVIDER)
    return RouteRequest(
        model=model,
        session=None,
        routes=(),
        inline=False,
        messages=b"[]",
        trace=TRACE,
        turn=cast("Turn | None", turn),
        **fields,
    )


def failover(drains: Drains, failed: tuple[str, ...] = (), **rules: Any) -> Failover:
    cooldowns = MemoryCooldowns()
    for name in failed:
        cooldowns.failed(name, "503", None)
    made = Failover(cooldowns, MemoryPins(10, 60), NAMES, Rules(**rules), drains)
    made.look()
    return made


def test_the_first_of_the_others_that_is_well_takes_over() -> None:
    assert failover(drained("p/a")).successor(request(), PINNED) == "p/b"
    assert failover(drained("p/a", "p/b")).successor(request(), PINNED) == "p/c"
    assert failover(drained("p/a"), ("p/b",)).successor(request(), PINNED) == "p/c"


def test_nobody_takes_over_from_a_model_that_is_not_drained_or_when_nobody_else_is_well() -> None:
    assert failover(drained("p/b")).successor(request(), PINNED) is None
    assert failover(drained(*NAMES)).successor(request(), PINNED) is None
    assert failover(drained("p/a"), NAMES[1:]).successor(request(), PINNED) is None


@pytest.mark.parametrize("turn", [Said(is_bound=True), Said(is_in_tool_loop=True)])
def test_a_session_stays_while_it_would_lose_something_unless_it_is_to_go_at_once(turn: Said) -> None:
    assert failover(drained("p/a")).successor(request(turn), PINNED) is None
    assert failover(drained("p/a", now=True)).successor(request(turn), PINNED) == "p/b"
    assert failover(drained("p/a")).successor(request(Said()), PINNED) == "p/b"


def test_a_session_that_is_held_stays() -> None:
    held = msgspec.structs.replace(PINNED, alone=True)

    assert failover(drained("p/a", now=True)).successor(request(), held) is None


def test_only_a_model_that_the_key_covers_and_that_can_take_the_request_takes_over() -> None:
    def fitting(asked: RouteRequest) -> RouteRequest:
        (route,) = asked.routes
        able = tuple(name for name in route.models if name == "p/d")
        if not able:
            raise BadRequest("none can")
        return msgspec.structs.replace(asked, routes=(msgspec.structs.replace(route, models=able),))

    made = failover(drained("p/a"))

    assert made.successor(request(allowed=frozenset({"p/a", "p/c"})), PINNED) == "p/c"
    assert made.successor(request(fitting=fitting), PINNED) == "p/d"
    assert made.successor(request(fitting=fitting), Decision(models=NAMES[:3], route="r")) is None


def test_without_a_route_the_default_takes_over_where_sessions_may_fall_back_on_it() -> None:
    alone = Decision(models=("p/a",))

    assert failover(drained("p/a")).successor(request(), alone) is None
    assert failover(drained("p/a"), default="p/d").successor(request(), alone) == "p/d"
    assert failover(drained("p/a"), default="p/d").successor(request(), msgspec.structs.replace(PINNED)) == "p/b"


def test_strict_says_what_happens_on_failure_and_nothing_about_drains() -> None:
    assert failover(drained("p/a"), on_failure=OnFailure.STRICT).successor(request(), PINNED) == "p/b"


def test_a_drained_model_is_asked_after_those_that_are_well_and_before_those_that_failed() -> None:
    made = failover(drained("p/b"), ("p/c",), max_attempts=4)

    assert made.candidates(request(), PINNED) == ("p/a", "p/d", "p/b", "p/c")


def test_the_model_of_a_session_that_stays_is_asked_first() -> None:
    assert failover(drained("p/a", "p/b")).candidates(request(), PINNED) == ("p/a", "p/c", "p/d")


def test_new_sessions_avoid_a_drained_model_however_cheap_it_is() -> None:
    snapshot = Snapshot(cost={"p/a": Measure(1, 90.0), "p/b": Measure(2, 90.0), "p/c": Measure(3, 90.0)})

    rows = explain(NAMES[:3], Prefer.CHEAPEST, snapshot, drains={"p/a"})

    assert [(row.model, row.standing) for row in rows] == [
        ("p/b", Standing.RANKED),
        ("p/c", Standing.RANKED),
        ("p/a", Standing.DRAINED),
    ]
