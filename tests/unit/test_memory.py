"""The single-process mode: decisions in place, pins in memory."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import RouterDown, TooManyWaiting
from shared.job_messages import DecisionRequest, DecisionResult
from shared.memory.decisions_in_place import DecisionsInPlace
from shared.memory.pins import MemoryPins
from tests.harness import wait_until

BUDGET_S = 10.0


def order(session_id: str | None = "s") -> DecisionRequest:
    return DecisionRequest(
        model_name="openai/own",
        session=Session(session_id) if session_id else None,
        ttl_s=600,
        routes=(),
        inline=False,
        messages=(),
        request_id="r",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )


class Slow:
    """Decides when it is let; each decision is another one."""

    def __init__(self) -> None:
        self.asked: list[DecisionRequest] = []
        self.go = threading.Event()
        self._numbers = itertools.count(1)

    def decide(self, order: DecisionRequest) -> DecisionResult:
        number = next(self._numbers)
        self.asked.append(order)
        assert self.go.wait(10)
        return DecisionResult(models=(f"openai/m{number}",))


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go.set()
    wait_until(lambda: not any(thread.name == "decide" for thread in threading.enumerate()))


def test_requests_of_one_session_share_a_decision(slow: Slow) -> None:
    decisions = DecisionsInPlace(slow.decide, limit=10)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(decisions.ask, order(), BUDGET_S) for _ in range(8)]
        wait_until(lambda: decisions._waiting == 8)
        slow.go.set()
        heard = [said.result(5) for said in asked]

    assert heard == [DecisionResult(models=("openai/m1",))] * 8
    assert len(slow.asked) == 1


@pytest.mark.parametrize("sessions", [("s", "t"), (None, None)])
def test_other_requests_share_nothing(slow: Slow, sessions: tuple[str | None, ...]) -> None:
    decisions = DecisionsInPlace(slow.decide, limit=10)

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(decisions.ask, order(name), BUDGET_S) for name in sessions]
        wait_until(lambda: len(slow.asked) == 2)
        slow.go.set()
        heard = [said.result(5) for said in asked]

    assert heard[0] != heard[1]


def test_a_session_is_decided_anew_once_its_decision_is_made(slow: Slow) -> None:
    slow.go.set()
    decisions = DecisionsInPlace(slow.decide, limit=10)

    first = decisions.ask(order(), BUDGET_S)
    wait_until(lambda: not decisions._under_way)

    assert decisions.ask(order(), BUDGET_S) != first


def test_the_budget_ends_the_wait(slow: Slow) -> None:
    decisions = DecisionsInPlace(slow.decide, limit=10)

    with pytest.raises(RouterDown, match="within 20 ms"):
        decisions.ask(order(), 0.02)


def test_who_comes_after_a_spent_budget_hears_the_decision_that_is_still_made(slow: Slow) -> None:
    """A slow router is not asked a second time meanwhile."""
    decisions = DecisionsInPlace(slow.decide, limit=10)
    with pytest.raises(RouterDown):
        decisions.ask(order(), 0.02)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(decisions.ask, order(), BUDGET_S)
        wait_until(lambda: decisions._waiting == 1)
        slow.go.set()

        assert asked.result(5) == DecisionResult(models=("openai/m1",))
    assert len(slow.asked) == 1


def test_there_is_a_limit_to_how_many_wait(slow: Slow) -> None:
    decisions = DecisionsInPlace(slow.decide, limit=1)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(decisions.ask, order(), BUDGET_S)
        wait_until(lambda: slow.asked)
        with pytest.raises(TooManyWaiting):
            decisions.ask(order("t"), BUDGET_S)
        slow.go.set()

        assert asked.result(5).models

    assert len(slow.asked) == 1


def test_a_spent_budget_makes_room_again(slow: Slow) -> None:
    decisions = DecisionsInPlace(slow.decide, limit=1)

    for _ in range(3):
        with pytest.raises(RouterDown):
            decisions.ask(order(), 0.01)


def test_it_needs_no_worker(slow: Slow) -> None:
    assert DecisionsInPlace(slow.decide, limit=1).workers() == 1


def pin(name: str) -> Pin:
    return Pin(model_name=name, route_name=None)


def test_the_least_recently_used_pin_goes_first() -> None:
    """A session that is in use keeps its pin, however old that is."""
    pins = MemoryPins(2, 600)
    pins.settle(Session("old"), pin("a"), 600)
    pins.settle(Session("idle"), pin("b"), 600)
    pins.get(Session("old"))

    pins.settle(Session("new"), pin("c"), 600)

    assert pins.get(Session("old")) == pin("a")
    assert pins.get(Session("idle")) is None
    assert pins.get(Session("new")) == pin("c")


def test_a_pin_lives_from_when_it_was_first_settled() -> None:
    """Neither reading nor settling again makes it live longer: the same as in Redis."""
    pins = MemoryPins(10, 1)
    pins.settle(Session("s"), pin("a"), 1)
    assert pins.settle(Session("s"), pin("b"), 600) == pin("a")

    wait_until(lambda: pins.get(Session("s")) is None, what="the end of the pin")

    assert pins.drop(Session("s"), pin("a")) is False
    assert pins.settle(Session("s"), pin("b"), 600) == pin("b")
