"""A decision: the router asked, the candidates ranked, the pin settled."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from shared.config import routing_section
from shared.domain.conversation import Message
from shared.domain.pins import Pin, encode
from shared.domain.ranking import Measure, Snapshot
from shared.domain.routes import Prefer, Route
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.job_messages import DecisionRequest, DecisionResult
from shared.memory.cooldowns import MemoryCooldowns
from shared.store.connection.store_client import StoreClient
from shared.store.cooldowns import CooldownStore
from shared.store.metrics.snapshot import MetricsStore
from shared.store.pins import PinStore
from tests.endpoints import endpoint_to
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from workers import jobs
from workers import router as routers
from workers.decide import Decider
from workers.router.arch_router import ArchRouter
from workers.services import WorkerServices

SESSION = Session("s", "team")
CODE = Route("code", "programming, debugging", ("openai/a", "openai/b", "openai/c"))
ROUTES = (CODE, Route("cooking", "recipes, kitchen", ("openai/d",)))
MODELS = CODE.models
TTL_S = 300


def order(
    text: str = "debugging a programming error",
    session: Session | None = SESSION,
    routes: tuple[Route, ...] = ROUTES,
    *,
    inline: bool = False,
) -> DecisionRequest:
    return DecisionRequest(
        model_name="openai/own",
        session=session,
        ttl_s=TTL_S,
        routes=routes,
        inline=inline,
        messages=(Message("user", text),),
        request_id="req-1",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )


def preferring(prefer: Prefer) -> tuple[Route, ...]:
    return (msgspec.structs.replace(CODE, prefer=prefer),)


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Router]:
    with Router() as router:
        yield router


@pytest.fixture
def router(stand_in: Router) -> Router:
    """Nothing is wrong with it, and nobody has asked it yet."""
    stand_in.behave(None)
    stand_in.answer = None
    stand_in.clear()
    return stand_in


@pytest.fixture
def pins(client: StoreClient) -> PinStore:
    return PinStore(client)


@pytest.fixture
def metrics(client: StoreClient) -> MetricsStore:
    return MetricsStore(client)


@pytest.fixture
def decider(router: Router, pins: PinStore, metrics: MetricsStore) -> Iterator[Decider]:
    asking = routers.build(routing_section.Router(url=router.url))
    assert isinstance(asking, ArchRouter)
    yield Decider(router=asking, pins=pins, metrics=metrics, cooldowns=MemoryCooldowns())
    asking.close()


def made(decider: Decider, asked: DecisionRequest) -> DecisionResult:
    """The result without what it was made by."""
    return msgspec.structs.replace(decider.decide(asked), facts={})


def test_the_routers_choice_is_settled(decider: Decider, pins: PinStore, store: redis.Redis) -> None:
    verdict = made(decider, order())

    assert verdict == DecisionResult(models=MODELS, route="code", pin=Pin(model_name="openai/a", route_name="code"))
    assert pins.get(SESSION) == Pin(model_name="openai/a", route_name="code")
    assert TTL_S - 5 <= store.ttl("plano:affinity:team:s") <= TTL_S


def test_no_route_pins_the_requests_own_model(decider: Decider, pins: PinStore) -> None:
    """So that the session stays on one model all the same; the word of the router is never a model."""
    verdict = made(decider, order("hello"))

    assert verdict == DecisionResult(models=("openai/own",), pin=Pin(model_name="openai/own", route_name=None))
    assert pins.get(SESSION) == Pin(model_name="openai/own", route_name=None)


def test_a_route_that_the_router_made_up_is_no_route(decider: Decider, router: Router, pins: PinStore) -> None:
    router.answer = '{"route": "gardening"}'

    assert made(decider, order()) == DecisionResult(
        models=("openai/own",), pin=Pin(model_name="openai/own", route_name=None)
    )
    assert pins.get(SESSION) == Pin(model_name="openai/own", route_name=None)


def test_without_a_session_nothing_is_pinned(decider: Decider, store: redis.Redis) -> None:
    verdict = made(decider, order(session=None))

    assert verdict == DecisionResult(models=MODELS, route="code")
    assert store.keys("*") == []


def test_where_a_pin_stands_it_decides_whatever_the_router_says(decider: Decider, pins: PinStore) -> None:
    """It was settled between the asking replica's look and now."""
    pins.settle(SESSION, Pin(model_name="openai/b", route_name="code"), TTL_S)

    verdict = made(decider, order())

    assert verdict == DecisionResult(
        models=("openai/b", "openai/a", "openai/c"),
        route="code",
        pinned=True,
        pin=Pin(model_name="openai/b", route_name="code"),
    )


def test_deciding_twice_does_no_harm(decider: Decider, pins: PinStore) -> None:
    """RQ may run a job again."""
    first = made(decider, order())

    second = made(decider, order())

    assert second == first
    assert pins.get(SESSION) == Pin(model_name="openai/a", route_name="code")


def test_candidates_that_came_with_the_request_are_pinned_with_it(decider: Decider, pins: PinStore) -> None:
    """The config does not name them, so the pin must."""
    made(decider, order(inline=True))

    assert pins.get(SESSION) == Pin(model_name="openai/a", route_name="code", models=MODELS)


def test_of_very_many_candidates_the_pin_keeps_the_best_in_4_kb(decider: Decider, pins: PinStore) -> None:
    models = tuple(f"openai/{n}-{'x' * 100}" for n in range(100))

    result = made(decider, order(routes=(msgspec.structs.replace(CODE, models=models),), inline=True))

    pin = pins.get(SESSION)
    assert pin is not None
    assert result.models == models
    assert pin.models == models[: len(pin.models or ())]
    assert 3900 < len(encode(pin)) <= 4096


def test_inline_routes_of_which_none_fits_leave_a_plain_pin(decider: Decider, pins: PinStore) -> None:
    made(decider, order("hello", inline=True))

    assert pins.get(SESSION) == Pin(model_name="openai/own", route_name=None)


def test_the_pins_candidates_decide_where_one_stands(decider: Decider, pins: PinStore) -> None:
    pins.settle(SESSION, Pin(model_name="x/1", route_name="mine", models=("x/1", "x/2")), TTL_S)

    assert made(decider, order()) == DecisionResult(
        models=("x/1", "x/2"),
        route="mine",
        pinned=True,
        pin=Pin(model_name="x/1", route_name="mine", models=("x/1", "x/2")),
    )


@pytest.mark.parametrize("fault", ["status", "not_json", "close"])
def test_a_router_that_fails_is_a_fault_and_pins_nothing(
    decider: Decider, router: Router, pins: PinStore, fault: str
) -> None:
    """A session that starts in an outage is routed as soon as that is over."""
    router.behave(fault)

    assert made(decider, order()) == DecisionResult(fault="router")
    assert pins.get(SESSION) is None

    router.behave(None)
    assert made(decider, order()).route == "code"


def test_a_router_that_nobody_reaches_is_a_fault(pins: PinStore, metrics: MetricsStore) -> None:
    asking = routers.build(routing_section.Router(url=f"http://127.0.0.1:{free_port()}/v1"))

    verdict = Decider(router=asking, pins=pins, metrics=metrics, cooldowns=MemoryCooldowns()).decide(order())

    assert verdict == DecisionResult(fault="router")
    assert isinstance(asking, ArchRouter)
    asking.close()


def test_a_redis_that_is_away_is_a_fault(router: Router, tmp_path: Path) -> None:
    asking = routers.build(routing_section.Router(url=router.url))
    away = endpoint_to(f"unix://{tmp_path / 'nobody.sock'}").client(StoreDown)
    decider = Decider(router=asking, pins=PinStore(away), metrics=MetricsStore(away), cooldowns=CooldownStore(away))

    assert made(decider, order()) == DecisionResult(fault="redis")
    assert made(decider, order(session=None)) == DecisionResult(models=MODELS, route="code")
    assert isinstance(asking, ArchRouter)
    asking.close()


@pytest.mark.parametrize(
    ("prefer", "ranked"),
    [
        (Prefer.CHEAPEST, ("openai/c", "openai/a", "openai/b")),
        (Prefer.FASTEST, ("openai/b", "openai/c", "openai/a")),
        (Prefer.NONE, MODELS),
    ],
)
def test_candidates_are_ranked_by_the_snapshot_in_redis(
    decider: Decider, metrics: MetricsStore, pins: PinStore, prefer: Prefer, ranked: tuple[str, ...]
) -> None:
    """Every worker ranks by the same figures; b has no price, a no latency."""
    now = time.time()
    cost = {"openai/a": Measure(2.0, now), "c": Measure(1.0, now)}
    latency = {"openai/b": Measure(0.1, now), "openai/c": Measure(0.2, now)}
    metrics.replace(Snapshot(cost=cost, latency=latency), 60)

    verdict = made(decider, order(routes=preferring(prefer)))

    assert verdict.models == ranked
    assert pins.get(SESSION) == Pin(model_name=ranked[0], route_name="code")


@pytest.mark.parametrize("value", [None, b"garbage"])
def test_without_a_snapshot_the_declared_order_serves(decider: Decider, store: redis.Redis, value: bytes) -> None:
    if value:
        store.set("plano:metrics:snapshot", value, ex=60)

    assert made(decider, order(routes=preferring(Prefer.CHEAPEST))).models == MODELS


def test_an_order_that_went_through_the_queue_is_decided_the_same(decider: Decider) -> None:
    """JSON in, JSON out."""
    sent = msgspec.json.decode(msgspec.json.encode(order(inline=True)))

    said = jobs.decide(WorkerServices(decider=decider), sent)

    assert said.pop("facts")
    assert msgspec.convert(said, DecisionResult) == DecisionResult(
        models=MODELS, route="code", pin=Pin(model_name="openai/a", route_name="code", models=MODELS)
    )


def test_a_result_tells_how_long_the_router_took_and_how_the_first_three_compare(
    decider: Decider, metrics: MetricsStore
) -> None:
    models = (*MODELS, "openai/d")
    route = msgspec.structs.replace(CODE, models=models, prefer=Prefer.CHEAPEST)
    costs = {name: Measure(n + 0.123456, time.time() - 9) for n, name in enumerate(models[1:])}
    metrics.replace(Snapshot(cost=costs), TTL_S)

    facts = decider.decide(order(routes=(route,))).facts

    assert facts.pop("router_ms")
    assert {facts.pop(f"rank.{n}.age_s") for n in (1, 2, 3)} <= set(range(9, 15))
    assert facts == {
        "rank.1": "openai/b", "rank.1.value": 0.1235,
        "rank.2": "openai/c", "rank.2.value": 1.123,
        "rank.3": "openai/d", "rank.3.value": 2.123,
    }  # fmt: skip


def test_a_pin_that_replaces_another_says_which_and_why(decider: Decider, pins: PinStore) -> None:
    seen = Pin(model_name="openai/z", route_name=None)
    pins.settle(SESSION, seen, TTL_S)

    result = decider.decide(msgspec.structs.replace(order(), seen=seen, why="cold"))

    assert result.pin == Pin(model_name="openai/a", route_name="code", left="openai/z", why="cold")
    assert pins.get(SESSION) == result.pin
