"""What a session may spend on another model: never more than its share, however many ask at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.domain.money import Prices
from shared.domain.money.switching import Budget, Ledger, Price, Warm, switch_usd
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.money.switch_budgets import BudgetStore
from shared.store.pins import PinStore

SESSION = Session("s", "acme", ("openai/a",))
TTL_S = 600
PRICES = {
    "openai/a": Prices(input=2.0, output=8.0, cached=0.5),
    "openai/b": Prices(input=4.0, output=8.0, cached=1.0),
    "anthropic/c": Prices(input=4.0, output=8.0, cached=0.4),
}
NOW = 1_000_000.0


def pin(name: str) -> Pin:
    return Pin(model_name=name, route_name="r")


def price(usd: float) -> Price:
    return Price(usd=usd, percent=50, tokens=100_000)


def cost(to: str, *, for_an_hour: bool = False, percent: float = 100, **warm: Warm) -> float | None:
    """Of leaving openai/a, whose 100,000 tokens are warm, with a request of 100,000."""
    ledger = Ledger(warm={"openai/a": Warm(100_000, int(NOW)), **{f"openai/{name}": w for name, w in warm.items()}})
    budget = Budget(percent=percent, tokens=100_000, for_an_hour=for_an_hour)
    return switch_usd("openai/a", to, budget=budget, ledger=ledger, prices=PRICES, now=NOW)


def test_a_switch_costs_what_writing_to_the_other_cache_costs_less_what_reading_the_own_one_would() -> None:
    assert cost("openai/b") == pytest.approx(0.1 * (4.0 - 0.5))
    assert cost("anthropic/c") == pytest.approx(0.1 * (4.0 * 1.25 - 0.5))
    assert cost("anthropic/c", for_an_hour=True) == pytest.approx(0.1 * (4.0 * 2 - 0.5))


def test_what_the_other_one_still_has_in_its_cache_is_read_from_it() -> None:
    warm, cold = Warm(60_000, int(NOW) - 100), Warm(60_000, int(NOW) - 400)

    assert cost("openai/b", b=warm) == pytest.approx(0.06 * 1.0 + 0.04 * 4.0 - 0.1 * 0.5)
    assert cost("openai/b", b=cold) == cost("openai/b")


def test_without_a_price_there_is_no_cost() -> None:
    assert cost("openai/unknown") is None


def test_what_was_saved_and_read_is_added_up(client: StoreClient, store: redis.Redis) -> None:
    budgets = BudgetStore(client, TTL_S)

    budgets.add({SESSION: Ledger(saved_usd=0.5, warm={"openai/a": Warm(10, 1)})})
    budgets.add({SESSION: Ledger(saved_usd=-0.125, warm={"openai/a": Warm(20, 2), "openai/b": Warm(5, 2)})})

    ledger = budgets.ledger(SESSION)
    assert ledger.saved_usd == pytest.approx(0.375)
    assert ledger.warm == {"openai/a": Warm(20, 2), "openai/b": Warm(5, 2)}
    assert 0 < store.ttl(keys.budget(SESSION)) <= TTL_S


def test_a_switch_that_fits_moves_the_pin_and_one_that_does_not_leaves_it(client: StoreClient) -> None:
    budgets, pins = BudgetStore(client, TTL_S), PinStore(client)
    pins.settle(SESSION, pin("openai/a"), TTL_S)
    budgets.add({SESSION: Ledger(saved_usd=1.0)})

    dear = budgets.spend(SESSION, pin("openai/a"), pin("openai/b"), price(0.6))
    fits = budgets.spend(SESSION, pin("openai/a"), pin("openai/b"), price(0.4))
    late = budgets.spend(SESSION, pin("openai/a"), pin("openai/c"), price(0.0))
    again = budgets.spend(SESSION, pin("openai/b"), pin("openai/a"), price(0.2))
    free = budgets.spend(SESSION, pin("openai/b"), pin("openai/a"), price(-0.2))

    assert [standing and standing.model_name for standing in (dear, fits, late, again, free)] == [
        "openai/a", "openai/b", "openai/b", "openai/b", "openai/a",
    ]  # fmt: skip
    assert budgets.ledger(SESSION).spent_usd == pytest.approx(0.4)


def test_who_has_just_switched_pays_for_leaving_again(client: StoreClient) -> None:
    """Before its first answer from there has been recorded."""
    budgets, pins = BudgetStore(client, TTL_S), PinStore(client)
    pins.settle(SESSION, pin("openai/a"), TTL_S)
    budgets.add({SESSION: Ledger(saved_usd=1.0)})

    budgets.spend(SESSION, pin("openai/a"), pin("openai/b"), price(0.4))

    ledger, budget = budgets.ledger(SESSION), Budget(percent=50, tokens=100_000)
    again = switch_usd("openai/b", "anthropic/c", budget=budget, ledger=ledger, prices=PRICES, now=time.time())
    assert again == pytest.approx(0.1 * (4.0 * 1.25 - 1.0))


def test_many_at_once_never_spend_more_than_there_is(client: StoreClient) -> None:
    budgets, pins = BudgetStore(client, TTL_S), PinStore(client)
    pins.settle(SESSION, pin("openai/a"), TTL_S)
    budgets.add({SESSION: Ledger(saved_usd=10.0)})
    together = threading.Barrier(16)

    def switch(n: int) -> int:
        together.wait(10)
        done = 0
        for turn in range(10):
            seen, to = pins.get(SESSION), pin(f"openai/m{n}-{turn}")
            assert seen
            done += budgets.spend(SESSION, seen, to, price(1.0)) == to
        return done

    with ThreadPoolExecutor(16) as pool:
        switched = sum(pool.map(switch, range(16)))

    assert switched == 5
    assert budgets.ledger(SESSION).spent_usd == pytest.approx(5.0)


@pytest.mark.parametrize("field", ["saved", "spent", "model:openai/a"])
@pytest.mark.parametrize(
    "value",
    [b"\xff none", b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"\xed\xa0\x80":1}', b"[" * 2000, b"1e999"],
    ids=["bytes", "deep", "surrogate", "open", "infinite"],
)
def test_what_is_unreadable_in_a_ledger_is_nothing(
    client: StoreClient, store: redis.Redis, field: str, value: bytes
) -> None:
    budgets = BudgetStore(client, TTL_S)
    store.hset(keys.budget(SESSION), field, value)
    store.expire(keys.budget(SESSION), 60)

    assert budgets.ledger(SESSION) == Ledger()


def test_what_is_no_ledger_is_dropped_and_moves_nobody(client: StoreClient, store: redis.Redis) -> None:
    budgets, pins, key = BudgetStore(client, TTL_S), PinStore(client), keys.budget(SESSION)
    pins.settle(SESSION, pin("openai/a"), TTL_S)

    store.rpush(key, "x")
    assert budgets.ledger(SESSION) == Ledger()
    store.delete(key)
    store.rpush(key, "x")
    assert budgets.spend(SESSION, pin("openai/a"), pin("openai/b"), price(0.4)) == pin("openai/a")
    assert not store.exists(key)
    budgets.add({SESSION: Ledger(saved_usd=2.0)})

    assert budgets.ledger(SESSION).saved_usd == 2.0
    assert pins.get(SESSION) == pin("openai/a")


def test_a_pin_that_is_none_costs_no_savings(client: StoreClient, store: redis.Redis) -> None:
    budgets = BudgetStore(client, TTL_S)
    budgets.add({SESSION: Ledger(saved_usd=10.0)})
    store.rpush(keys.affinity(SESSION), "x")
    store.expire(keys.affinity(SESSION), 60)

    assert budgets.spend(SESSION, pin("openai/a"), pin("openai/b"), price(0.4)) == pin("openai/a")

    assert budgets.ledger(SESSION) == Ledger(saved_usd=10.0)
