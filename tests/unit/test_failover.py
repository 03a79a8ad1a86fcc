"""Which candidates a request tries."""

import msgspec
import pytest

from shared.domain.availability.failures import Failure
from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.pins import MemoryPins
from shared.routing.failover import Failover, OnFailure, Rules

PROVIDER = Provider(name="p", base_url="http://127.0.0.1:9/v1", interface="openai")
NAMES = ("p/a", "p/b", "p/c", "p/d")
MADE = Decision(models=NAMES, route="r")


def request(allowed: frozenset[str] | None = None) -> RouteRequest:
    model = Model("p/a", "a", PROVIDER)
    trace = Trace("id", "00-" + "1" * 32 + "-" + "1" * 16 + "-01")
    return RouteRequest(
        model=model, session=None, routes=(), inline=False, messages=b"[]", trace=trace, allowed=allowed
    )


def failover(cooldowns: MemoryCooldowns, **rules: object) -> Failover:
    return Failover(cooldowns, MemoryPins(10, 60), NAMES, Rules(**rules))  # type: ignore[arg-type]  # passed on


def looked(made: Failover, failed: set[str]) -> Failover:
    """The same, once it knows who has failed."""
    made.look()
    assert set(made.cooldowns) == failed
    return made


def test_as_many_as_may_be_tried_in_the_decisions_order() -> None:
    assert failover(MemoryCooldowns()).candidates(request(), MADE) == NAMES[:3]
    assert failover(MemoryCooldowns(), max_attempts=2).candidates(request(), MADE) == NAMES[:2]


def test_those_that_sit_out_come_last_the_least_recently_failed_first() -> None:
    cooldowns = MemoryCooldowns()
    cooldowns.failed("p/b", "503", None)
    cooldowns.failed("p/a", "503", None)

    names = looked(failover(cooldowns, max_attempts=4), {"p/a", "p/b"}).candidates(request(), MADE)

    assert names == ("p/c", "p/d", "p/b", "p/a")


def test_when_all_sit_out_the_least_recently_failed_is_tried() -> None:
    cooldowns = MemoryCooldowns()
    for name in ("p/c", "p/a", "p/d", "p/b"):
        cooldowns.failed(name, "503", None)

    names = looked(failover(cooldowns), set(NAMES)).candidates(request(), MADE)

    assert names == ("p/c", "p/a", "p/d")


def test_strict_tries_the_first_and_nothing_else() -> None:
    cooldowns = MemoryCooldowns()
    cooldowns.failed("p/a", "503", None)

    names = looked(failover(cooldowns, on_failure=OnFailure.STRICT), {"p/a"}).candidates(request(), MADE)

    assert names == ("p/a",)


@pytest.mark.parametrize(
    ("route", "allowed", "names"),
    [
        (None, None, ("p/b", "p/a")),
        (None, frozenset({"p/b"}), ("p/b",)),
        ("r", None, ("p/b",)),
    ],
)
def test_the_default_is_for_sessions_without_a_route_and_keys_that_cover_it(
    route: str | None, allowed: frozenset[str] | None, names: tuple[str, ...]
) -> None:
    made = failover(MemoryCooldowns(), default="p/a")

    assert made.candidates(request(allowed), Decision(models=("p/b",), route=route)) == names


@pytest.mark.parametrize(
    ("standing", "kept", "then"),
    [("p/a", False, "p/c"), ("p/b", True, "p/b"), ("p/c", False, "p/c"), (None, False, None)],
)
def test_a_session_that_another_request_has_moved_elsewhere_stays_there(
    standing: str | None, kept: bool, then: str | None
) -> None:
    pins, session = MemoryPins(10, 60), Session("s")
    seen = Pin(model_name="p/a", route_name="r")
    if standing:
        pins.settle(session, msgspec.structs.replace(seen, model_name=standing), 60)
    asked = msgspec.structs.replace(request(), session=session)
    made = Failover(MemoryCooldowns(), pins, NAMES, Rules())

    said = made.answered(asked, Decision(models=NAMES, route="r", pin=seen), "p/c", [Failure(model="p/a", why="503")])

    assert said is kept
    found = pins.get(session)
    assert (found.model_name if found else None) == then
    if standing == "p/a":
        assert found == Pin(model_name="p/c", route_name="r", left="p/a", why="503")


class Away(MemoryPins):
    """Redis is away when a pin is to be moved."""

    def move(self, *_: object) -> Pin | None:
        raise StoreDown("for a test")


@pytest.mark.parametrize(("pin", "kept"), [(Pin(model_name="p/a", route_name="r"), True), (None, False)])
def test_a_pin_that_cannot_be_moved_now_stays(pin: Pin | None, kept: bool) -> None:
    """The next turn may go back, and the client is to know."""
    asked = msgspec.structs.replace(request(), session=Session("s"))
    made = Failover(MemoryCooldowns(), Away(10, 60), NAMES, Rules())
    decision = Decision(models=NAMES, route="r", pin=pin)

    assert made.answered(asked, decision, "p/c", [Failure(model="p/a", why="503")]) is kept
