"""What a worker, or whoever writes to Redis, says that no worker of ours would: never a decision without a model."""

import pytest

from shared.domain.catalog import Catalog, Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace
from shared.domain.pins import Pin
from shared.domain.routes import Route
from shared.domain.sessions import Session
from shared.job_messages import DecisionRequest, DecisionResult
from shared.routing.affinity import Affinity
from shared.routing.ports import Policy

PROVIDER = Provider(name="openai", base_url="http://x/v1", interface="openai")
OWN, OTHER = Model("openai/own", "own", PROVIDER), Model("openai/a", "a", PROVIDER)
CATALOG = Catalog((OWN, OTHER), aliases={"alias": "openai/a"})
ROUTES = (Route("code", "programming", ("openai/a",)),)


class Saying:
    """A pool that says one thing."""

    def __init__(self, result: DecisionResult, pin: Pin | None = None, successor: str | None = None) -> None:
        self._result = result
        self._pin = pin
        self._successor = successor
        self.asked: list[DecisionRequest] = []

    def get(self, session: Session) -> Pin | None:  # noqa: ARG002
        return self._pin

    def settle(self, session: Session, pin: Pin, ttl_s: int, seen: Pin | None = None) -> Pin:  # noqa: ARG002
        return self._pin or pin

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:  # noqa: ARG002
        return to

    def drop(self, session: Session, seen: Pin) -> bool:  # noqa: ARG002
        return True

    def ask(self, request: DecisionRequest, budget_s: float) -> DecisionResult:  # noqa: ARG002
        self.asked.append(request)
        return self._result

    def workers(self) -> int:
        return 1

    def waiting(self) -> int:
        return 0

    def admit(self, client: str) -> None:
        pass

    def give_back(self, client: str) -> None:
        pass

    def successor(self, request: RouteRequest, decision: Decision) -> str | None:  # noqa: ARG002
        return self._successor

    def decided(self, decision: Decision) -> None:
        pass

    def degraded(self, part: str) -> None:
        pass


def decision_of(said: Saying, routes: tuple[Route, ...] = ROUTES) -> Decision:
    affinity = Affinity(
        catalog=CATALOG,
        routes=ROUTES,
        pins=said,
        decisions=said,
        policy=Policy(session_ttl_s=60, decision_budget_s=1, reject_on_outage=False),
        recorder=said,
        session_limit=said,
        successors=said,
    )
    request = RouteRequest(
        model=OWN,
        session=Session("s"),
        routes=routes,
        inline=False,
        messages=b'[{"role":"user","content":"hello"}]',
        trace=Trace("r", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    )
    return affinity.resolve(request)


@pytest.mark.parametrize("models", [("unknown",), ("", "openai/*"), ("openai/zzz",)])
def test_a_result_that_names_no_model_of_ours_is_the_requests_own_model(models: tuple[str, ...]) -> None:
    assert decision_of(Saying(DecisionResult(models=models, route="code"))).models == ("openai/own",)


@pytest.mark.parametrize("models", [(), ("unknown",), ("unknown", "alias")])
def test_the_pin_of_a_result_decides_whatever_its_models_are(models: tuple[str, ...]) -> None:
    result = DecisionResult(models=models, pin=Pin(model_name="alias", route_name="code"))

    assert decision_of(Saying(result)).models == ("openai/a",)


@pytest.mark.parametrize("pin", [Pin(model_name="", route_name=None), Pin(model_name="openai/gone", route_name="x")])
def test_a_pin_to_nothing_we_have_is_none(pin: Pin) -> None:
    assert decision_of(Saying(DecisionResult(models=("openai/a",)), pin)).models == ("openai/a",)


@pytest.mark.parametrize("models", [("unknown",), ("", "alias"), ("openai/own",) * 1000])
def test_candidates_that_a_pin_names_are_those_that_we_have(models: tuple[str, ...]) -> None:
    decision = decision_of(Saying(DecisionResult(), Pin(model_name="a", route_name=None, models=models)))

    assert decision.models[0] == "openai/a"
    assert set(decision.models) <= {"openai/a", "openai/own"}


def test_a_new_session_that_no_route_fits_avoids_its_own_model_while_that_is_drained() -> None:
    """Whether the router says so, or there is nothing to route by."""
    said = Saying(DecisionResult(models=("openai/a",)), successor="openai/a")

    assert decision_of(said, routes=()).models == ("openai/a",)
    assert said.asked == []
    decision_of(said)
    assert said.asked[0].model_name == "openai/a"
