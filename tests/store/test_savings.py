"""What answers have cost and saved, as Redis keeps it."""

import pytest
import redis

from shared.domain.money.accounts import Account, Amounts, by, total
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.money.savings import KEPT_S, SavingsStore

TEAM, OTHER = Account("team", "a/x", "code"), Account("", 'b/"y"', "")


@pytest.fixture
def savings(client: StoreClient, store: redis.Redis) -> SavingsStore:  # noqa: ARG001 - empty
    return SavingsStore(client)


def test_what_several_processes_add_is_one_sum(savings: SavingsStore) -> None:
    for _ in range(3):
        savings.add(7, {TEAM: Amounts(0.1, -0.02, 0.003), OTHER: Amounts(cost=1e-7)})

    assert savings.read([7]) == {
        TEAM: pytest.approx(Amounts(0.3, -0.06, 0.009)),
        OTHER: pytest.approx(Amounts(cost=3e-7)),
    }


def test_hours_are_apart_and_read_together(savings: SavingsStore) -> None:
    savings.add(7, {TEAM: Amounts(1)})
    savings.add(9, {TEAM: Amounts(2, lost=5)})

    assert savings.read([9]) == {TEAM: Amounts(2, lost=5)}
    assert savings.read(range(6, 10)) == {TEAM: Amounts(3, lost=5)}
    assert savings.read([1, 2]) == {}


def test_an_hour_ends_eight_days_after_its_last_answer(savings: SavingsStore, store: redis.Redis) -> None:
    savings.add(7, {TEAM: Amounts(1)})

    assert KEPT_S - 5 <= store.ttl(keys.money(7)) <= KEPT_S


def test_amounts_stand_as_millionths_of_a_dollar(savings: SavingsStore, store: redis.Redis) -> None:
    savings.add(7, {TEAM: Amounts(0.25)})

    assert store.hgetall("plano:money:7") == {b'["team","a/x","code","cost"]': b"250000"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"no json", b"1"),
        (b'["team","a/x","cost"]', b"1"),
        (b'["team","a/x","code","spent"]', b"1"),
        (b'["team","a/x","code","cost"]', b"much"),
        (b'["team","a/x","code","cost"]', b"nan"),
        (b"\xff", b"1"),
    ],
)
def test_what_is_unreadable_is_left_out(
    savings: SavingsStore, store: redis.Redis, field: bytes, value: bytes
) -> None:
    savings.add(7, {OTHER: Amounts(1)})
    store.hset(keys.money(7), field, value)

    assert savings.read([7]) == {OTHER: Amounts(1)}


def test_an_hour_that_is_no_hash_is_left_out_and_begins_anew(savings: SavingsStore, store: redis.Redis) -> None:
    store.set(keys.money(7), b"x", ex=9)
    assert savings.read([7]) == {}

    savings.add(7, {TEAM: Amounts(1)})

    assert savings.read([7]) == {TEAM: Amounts(1)}


def test_a_sum_that_is_no_number_begins_anew(savings: SavingsStore, store: redis.Redis) -> None:
    savings.add(7, {TEAM: Amounts(1)})
    store.hset(keys.money(7), '["team","a/x","code","cost"]', "much")

    savings.add(7, {TEAM: Amounts(2)})

    assert savings.read([7]) == {TEAM: Amounts(2)}


def test_sums_are_grouped_by_one_part_largest_cost_first() -> None:
    sums = {TEAM: Amounts(1, 1, 1), OTHER: Amounts(5), Account("team", "c", ""): Amounts(2)}

    assert list(by("tenant", sums).items()) == [("", Amounts(5)), ("team", Amounts(3, 1, 1))]
    assert list(by("route", sums)) == ["", "code"]
    assert total(sums.values()) == Amounts(8, 1, 1)
