"""What answers cost, kept and lost, on its way to the counters and to Redis."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.domain.decisions import Decision
from shared.domain.money import Prices, Usage
from shared.domain.money.accounts import Account, Amounts, Move
from shared.domain.ranking import Snapshot
from shared.errors import StoreDown
from shared.memory.pool_stats import MemoryStats
from tests.web.test_usage import Counted
from web.dialects.fields import body
from web.ops.pool.stats import PoolStats
from web.ops.savings import MOST_ACCOUNTS, OTHER, Savings
from web.ops.usage import UsageRecorder
from web.proxy import lost_prompt_cache

ACCOUNT = Account("team", "a/x", "code")
MILLION = 1_000_000


class Known:
    """Prices that stand."""

    def snapshot(self) -> Snapshot:
        return Snapshot(prices={"a/x": Prices(2, 8, 0.5, 2.5), "b/y": Prices(4, 16, 1), "c/half": Prices(input=1)})


class Book:
    """A ledger that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.heard: list[tuple[int, dict[Account, Amounts]]] = []

    def add(self, hour: int, sums: Mapping[Account, Amounts]) -> None:
        if self.away:
            raise StoreDown("away")
        self.heard.append((hour, dict(sums)))


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def recorder(counted: Counted, book: Book) -> UsageRecorder:
    """One that publishes when the test says so, in the hour 7; it knows the prices already."""
    made = UsageRecorder(counted, Known(), None, Savings(counted, book, PoolStats(MemoryStats()), lambda: 7.5 * 3600))
    made.publish()
    return made


def test_what_answers_cost_and_kept_is_summed_by_account(
    recorder: UsageRecorder, counted: Counted, book: Book
) -> None:
    for _ in range(2):
        recorder.answered(ACCOUNT, 0.1, Usage(input=MILLION, cached=MILLION, output=MILLION))
    recorder.answered(Account("", "a/x", ""), 0.1, Usage(output=MILLION))

    recorder.publish()

    assert counted.usd == {("a/x", "team"): pytest.approx(21), ("a/x", ""): pytest.approx(8)}
    assert counted.saved == {("a/x", "team"): pytest.approx(3)}
    ((hour, sums),) = book.heard
    assert hour == 7
    assert sums == {ACCOUNT: pytest.approx(Amounts(21, 3)), Account("", "a/x", ""): pytest.approx(Amounts(8))}


def test_an_answer_whose_price_is_not_known_costs_neither_nothing_nor_anything(
    recorder: UsageRecorder, counted: Counted, book: Book
) -> None:
    for model in ("c/half", "d/unknown"):
        recorder.answered(Account("", model, ""), 0.1, Usage(input=5, output=5))
    recorder.moved(Account("", "d/unknown", ""), Move("move", "a/x"), Usage(input=5), 5)
    recorder.publish()

    assert recorder.usd("c/half", Usage(input=5, output=5)) is None
    assert recorder.usd("d/unknown", Usage(input=5)) is None
    assert counted.usd == {}
    assert book.heard == []


def test_the_counter_of_what_was_kept_waits_until_a_write_has_paid_off(
    recorder: UsageRecorder, counted: Counted, book: Book
) -> None:
    """A counter never falls; the sums in Redis do."""
    recorder.answered(ACCOUNT, 0.1, Usage(cache_write_5m=MILLION))
    recorder.publish()
    assert counted.saved == {}

    recorder.answered(ACCOUNT, 0.1, Usage(cached=MILLION))
    recorder.publish()

    assert counted.saved == {("a/x", "team"): pytest.approx(1.5 - 0.5)}
    assert [sums[ACCOUNT].kept for _, sums in book.heard] == [pytest.approx(-0.5), pytest.approx(1.5)]


def test_what_a_move_lost_is_counted_by_its_reason(recorder: UsageRecorder, counted: Counted, book: Book) -> None:
    recorder.moved(ACCOUNT, Move("move", "b/y"), Usage(input=MILLION), MILLION // 2)
    recorder.publish()

    assert counted.gone == {"move": pytest.approx((2 - 1) / 2)}
    assert book.heard[0][1] == {ACCOUNT: pytest.approx(Amounts(lost=0.5))}


def test_sums_that_redis_does_not_take_are_dropped_and_counted(
    recorder: UsageRecorder, counted: Counted, book: Book
) -> None:
    book.away = True
    recorder.answered(ACCOUNT, 0.1, Usage(output=5))
    recorder.publish()
    book.away = False

    recorder.publish()

    assert counted.dropped == 1
    assert book.heard == []


def test_accounts_that_clients_name_are_kept_apart_up_to_a_limit(counted: Counted, book: Book) -> None:
    """Each is three fields in Redis for eight days, and clients may choose tenant, model and route."""
    savings = Savings(counted, book, PoolStats(MemoryStats()), lambda: 0)
    for n in range(MOST_ACCOUNTS + 50):
        savings.spent(Account(f"t{n}", "a/x", ""), 1, 0)
    savings.flush()

    ((_, sums),) = book.heard

    assert len(sums) == MOST_ACCOUNTS + 1
    assert sums[Account(OTHER, OTHER, OTHER)] == Amounts(50)


PINNED = Decision(models=("a/x", "b/y"), pinned=True)


@pytest.mark.parametrize(
    ("decision", "model", "kept", "move"),
    [
        (PINNED, "a/x", False, None),
        (PINNED, "b/y", False, Move("move", "a/x")),
        (PINNED, "b/y", True, Move("borrow", "a/x")),
        (Decision(models=("a/x", "b/y")), "b/y", False, None),
        (Decision(models=("a/x",), degraded="redis"), "a/x", False, Move("outage", "a/x")),
        (Decision(models=("b/y",), redecided="asked", left="a/x"), "b/y", False, Move("redecision", "a/x")),
        (Decision(models=("a/x",), redecided="asked", left="a/x"), "a/x", False, None),
        (Decision(models=("b/y",), redecided="cold"), "b/y", False, None),
    ],
)
def test_which_answers_come_from_a_model_that_may_be_cold(
    decision: Decision, model: str, kept: bool, move: Move | None
) -> None:
    assert lost_prompt_cache.move(decision, model, in_session=True, kept=kept) == move


def test_a_request_without_a_session_loses_nothing_in_an_outage() -> None:
    decision = Decision(models=("a/x",), degraded="redis")

    assert lost_prompt_cache.move(decision, "a/x", in_session=False, kept=False) is None


def fields(**values: Any) -> body.Fields:
    return {name: msgspec.Raw(body.encode(value)) for name, value in values.items()}


LONG = "x" * 1000
USER, ASSISTANT = {"role": "user", "content": LONG}, {"role": "assistant", "content": LONG}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": LONG}


@pytest.mark.parametrize(
    ("conversation", "thousands"),
    [
        ([USER], 0),
        ("hello", 0),
        ([USER, ASSISTANT, USER], 2 / 4),
        ([USER, ASSISTANT, USER, ASSISTANT, USER], 4 / 6),
        ([USER, CALL, RESULT], 2 / 3),
        ([USER, ASSISTANT, ASSISTANT, USER], 2 / 5),
        ([USER, {"type": "reasoning", "x": LONG}, {"type": "function_call_output", "output": LONG}], 2 / 4),
    ],
)
def test_warm_is_what_stands_before_the_model_s_last_turn(conversation: Any, thousands: float) -> None:
    """The request before this one ended there; what a provider reads first counts, too."""
    asked = fields(model="a/x", system=LONG, input=conversation)

    warm = lost_prompt_cache.warm_tokens(Usage(input=5000, cached=2000, cache_write_5m=3000), asked, "input")

    assert warm == pytest.approx(10_000 * thousands, abs=200)


@pytest.mark.parametrize("conversation", [b"7", b"[7]", b"{", b'[{"role":7}]', b"[" * 5000])
def test_a_conversation_that_cannot_be_read_counts_as_cold(conversation: bytes) -> None:
    asked = {"messages": msgspec.Raw(conversation)}

    assert lost_prompt_cache.warm_tokens(Usage(input=5000), asked, "messages") == 0
