"""What tokens cost, what a warm cache kept from being paid, and what a cold one cost again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.money import Prices, Usage, cost, kept, lost, prices_of

SONNET = Prices(input=3, output=15, cached=0.3, cache_write_5m=3.75, cache_write_1h=6)
MILLION = 1_000_000

COUNTS = st.integers(0, 10**7)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(10**6, 10**7), st.integers(0, 10**6))


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(input=MILLION), 3),
        (Usage(cached=MILLION), 0.3),
        (Usage(cache_write_5m=MILLION), 3.75),
        (Usage(cache_write_1h=MILLION), 6),
        (Usage(output=MILLION), 15),
        (Usage(output=MILLION, reasoning=MILLION), 15),
        (Usage(), 0),
    ],
)
def test_each_kind_of_token_has_its_price(usage: Usage, usd: float) -> None:
    assert cost(usage, SONNET) == pytest.approx(usd)


def test_reasoning_with_a_price_of_its_own_is_not_paid_twice() -> None:
    prices = Prices(input=1, output=2, reasoning=8)

    assert cost(Usage(output=MILLION, reasoning=MILLION // 4), prices) == pytest.approx(0.75 * 2 + 0.25 * 8)


def test_what_the_cache_has_no_price_for_costs_what_input_does() -> None:
    """Providers that list none bill such tokens as any other; then nothing was kept."""
    usage = Usage(cached=MILLION, cache_write_5m=MILLION, cache_write_1h=MILLION)

    assert cost(usage, Prices(input=2, output=8)) == pytest.approx(6)
    assert kept(usage, Prices(input=2, output=8)) == pytest.approx(0)


@pytest.mark.parametrize("usage", [Usage(input=1), Usage(cached=1), Usage(cache_write_1h=1)])
def test_a_price_that_is_not_known_is_not_zero(usage: Usage) -> None:
    assert cost(usage, Prices(output=8)) is None
    assert cost(Usage(output=1), Prices(input=2)) is None
    assert lost(usage, Prices(output=8), SONNET, warm=1) is None or usage.cached


def test_a_price_of_zero_is_a_price() -> None:
    assert cost(Usage(input=5, cached=7, output=9), Prices(input=0, output=0)) == 0


def test_a_write_that_is_read_ten_times_has_kept_what_nine_fresh_readings_cost() -> None:
    """Written at 1.25 of the price of input and read at 0.1: 11 readings would have cost 11, and cost 2.25."""
    written, read = Usage(cache_write_5m=MILLION), Usage(cached=MILLION)

    total = sum(kept(usage, SONNET) or 0 for usage in [written, *[read] * 10])

    assert total == pytest.approx(3 * (11 - 1.25 - 10 * 0.1))


def test_a_write_that_nobody_reads_has_cost_its_surcharge() -> None:
    assert kept(Usage(cache_write_5m=MILLION), SONNET) == pytest.approx(-0.75)


@given(USAGES)
@settings(deadline=None, database=None)
def test_what_is_kept_is_the_difference_to_the_bill_without_a_cache(usage: Usage) -> None:
    taken = usage.input + usage.cached + usage.cache_write_5m + usage.cache_write_1h
    without = cost(Usage(input=taken, output=usage.output, reasoning=usage.reasoning), SONNET)

    assert kept(usage, SONNET) == pytest.approx((without or 0) - (cost(usage, SONNET) or 0), abs=1e-6)


def test_anthropic_s_writes_have_a_price_where_the_list_has_none() -> None:
    known = {"claude": Prices(input=3, output=15, cached=0.3)}

    assert prices_of("anthropic/claude", known) == SONNET
    assert prices_of("vercel/claude", known) == known["claude"]


def test_a_listed_price_of_writes_stands() -> None:
    listed = Prices(input=3, output=15, cache_write_5m=4, cache_write_1h=5)

    assert prices_of("anthropic/claude", {"anthropic/claude": listed}) == listed


def test_prices_are_found_by_the_qualified_name_before_the_bare_id() -> None:
    known = {"a/x": Prices(input=1, output=1), "x": Prices(input=2, output=2)}

    assert prices_of("a/x", known) == known["a/x"]
    assert prices_of("b/x", known) == known["x"]
    assert prices_of("b/y", known) is None


CHEAP = Prices(input=2.5, output=10, cached=1.25)


def test_a_move_costs_what_is_read_anew_less_what_the_old_cache_would_have_cost() -> None:
    answer = Usage(input=MILLION, output=5)

    assert lost(answer, CHEAP, SONNET, warm=MILLION // 2) == pytest.approx((2.5 - 0.3) / 2)


def test_what_the_new_model_had_cached_itself_is_not_lost() -> None:
    answer = Usage(input=MILLION // 2, cached=MILLION // 2)

    assert lost(answer, CHEAP, SONNET, warm=MILLION) == pytest.approx((2.5 - 0.3) / 2)
    assert lost(answer, CHEAP, SONNET, warm=MILLION // 2) == 0


def test_re_warming_is_paid_at_the_price_of_writing() -> None:
    answer = Usage(cache_write_5m=MILLION)

    assert lost(answer, SONNET, CHEAP, warm=MILLION) == pytest.approx(3.75 - 1.25)


def test_a_move_to_a_model_that_is_cheaper_than_the_warm_one_loses_nothing() -> None:
    assert lost(Usage(input=MILLION), Prices(input=0.1, output=1), SONNET, warm=MILLION) == 0


@given(USAGES, st.integers(0, 10**8))
@settings(deadline=None, database=None)
def test_no_more_is_lost_than_was_paid_and_never_less_than_nothing(usage: Usage, warm: int) -> None:
    what = lost(usage, SONNET, CHEAP, warm)

    assert what is not None
    assert 0 <= what <= (cost(usage, SONNET) or 0)


def test_the_example_of_the_documentation_is_right() -> None:
    """docs/what-a-pin-is-worth.md."""
    gpt = Prices(input=1.75, output=14, cached=0.175)
    first = Usage(cache_write_5m=20_000, output=500)
    second = Usage(input=50, cached=20_000, cache_write_5m=1450, output=500)
    moved = Usage(input=23_000, output=500)

    assert (cost(first, SONNET), kept(first, SONNET)) == pytest.approx((0.0825, -0.0150))
    assert (cost(second, SONNET), kept(second, SONNET)) == pytest.approx((0.0191, 0.0529), abs=5e-5)
    assert cost(Usage(input=21_500, output=500), SONNET) == pytest.approx(0.0720)
    assert cost(moved, gpt) == pytest.approx(0.0473, abs=6e-5)
    assert lost(moved, gpt, SONNET, warm=21_500) == pytest.approx(0.0312, abs=5e-5)
