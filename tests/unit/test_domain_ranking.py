"""In which order candidates are tried."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.availability.cooldowns import Cooldown
from shared.domain.ranking import EMPTY, Measure, Row, Snapshot, Standing, explain, facts_of, known_of, rank
from shared.domain.routes import Prefer

MODELS = ("a/x", "b/y", "c/z")


def cost(**values: float) -> Snapshot:
    return Snapshot(cost={name.replace("_", "/"): Measure(value, 0.0) for name, value in values.items()})


def test_cheapest_is_ascending_cost() -> None:
    assert rank(MODELS, Prefer.CHEAPEST, cost(a_x=3, b_y=1, c_z=2)) == ("b/y", "c/z", "a/x")


def test_fastest_is_ascending_latency_whatever_it_costs() -> None:
    latency = {"a/x": Measure(0.3, 0.0), "b/y": Measure(0.2, 0.0), "c/z": Measure(0.1, 0.0)}
    snapshot = Snapshot(cost=cost(a_x=1, b_y=2, c_z=3).cost, latency=latency)

    assert rank(MODELS, Prefer.FASTEST, snapshot) == ("c/z", "b/y", "a/x")
    assert rank(MODELS, Prefer.CHEAPEST, snapshot) == MODELS


def test_none_keeps_the_declared_order() -> None:
    assert rank(MODELS, Prefer.NONE, cost(a_x=3, b_y=1, c_z=2)) == MODELS


def test_equals_keep_the_declared_order() -> None:
    assert rank(("c/z", "a/x", "b/y"), Prefer.CHEAPEST, cost(a_x=2, b_y=1, c_z=2)) == ("b/y", "c/z", "a/x")


@pytest.mark.parametrize("nothing", [{}, {"a_x": math.nan}, {"a_x": math.inf}])
def test_a_model_without_a_price_ranks_last_and_not_as_free(nothing: dict[str, float]) -> None:
    assert rank(MODELS, Prefer.CHEAPEST, cost(b_y=9, c_z=0, **nothing)) == ("c/z", "b/y", "a/x")


def test_models_without_data_keep_their_declared_order() -> None:
    assert rank(MODELS, Prefer.CHEAPEST, cost(a_x=math.nan, c_z=5)) == ("c/z", "a/x", "b/y")
    assert rank(MODELS, Prefer.CHEAPEST, EMPTY) == MODELS


def test_a_bare_id_serves_where_the_qualified_name_has_no_figure() -> None:
    """Price lists name models without a provider of ours."""
    assert rank(("a/x", "b/y"), Prefer.CHEAPEST, cost(x=2, y=1)) == ("b/y", "a/x")


def test_the_qualified_name_goes_before_the_bare_id() -> None:
    assert rank(("a/x", "b/y"), Prefer.CHEAPEST, cost(a_x=3, x=1, y=2)) == ("b/y", "a/x")


def test_a_figure_of_zero_is_a_figure() -> None:
    """A model that is free by its qualified name is not looked up by its bare id."""
    assert rank(("b/y", "a/x"), Prefer.CHEAPEST, cost(a_x=0, x=9, b_y=1)) == ("a/x", "b/y")


FIGURES = st.dictionaries(st.sampled_from(MODELS), st.floats(min_value=0) | st.just(math.nan), max_size=len(MODELS))


@given(st.permutations(MODELS), FIGURES)
@settings(deadline=None, database=None)
def test_ranking_loses_and_invents_no_candidate(models: list[str], figures: dict[str, float]) -> None:
    ranked = rank(models, Prefer.CHEAPEST, cost(**{name.replace("/", "_"): value for name, value in figures.items()}))

    known = [figures[name] for name in ranked if not math.isnan(figures.get(name, math.nan))]

    assert sorted(ranked) == sorted(models)
    assert known == sorted(known)


def test_each_place_in_the_order_has_a_reason() -> None:
    known = {"a/x": Measure(1, 10.0), "y": Measure(2, 99.0, "models.dev"), "d/v": Measure(1, 99.0)}
    cooldowns = {
        "d/v": Cooldown(since=50, failures=1, cooling=True),
        "b/y": Cooldown(since=50, failures=1, cooling=False),
    }

    rows = explain(("a/x", "d/v", "c/z", "b/y"), Prefer.CHEAPEST, Snapshot(cost=known), since=50, cooldowns=cooldowns)

    assert rows == (
        Row("b/y", Standing.RANKED, known["y"]),
        Row("a/x", Standing.OLD, known["a/x"]),
        Row("c/z", Standing.MISSING),
        Row("d/v", Standing.COOLING, known["d/v"]),
    )


def test_of_those_that_sit_out_the_least_recently_failed_is_first() -> None:
    cooldowns = {name: Cooldown(since=since, failures=1, cooling=True) for name, since in (("a/x", 9), ("b/y", 5))}

    rows = explain(MODELS, Prefer.NONE, EMPTY, cooldowns=cooldowns)

    assert [(row.model, row.standing) for row in rows] == [
        ("c/z", Standing.DECLARED),
        ("b/y", Standing.COOLING),
        ("a/x", Standing.COOLING),
    ]


def test_a_trace_is_told_the_same() -> None:
    rows = (Row("b/y", Standing.RANKED, Measure(0.5, 90.0, "observed")), Row("a/x", Standing.MISSING))

    assert facts_of(rows, 100.0) == {
        "plano.rank.1": "b/y",
        "plano.rank.1.why": "by its figure",
        "plano.rank.1.value": 0.5,
        "plano.rank.1.age_s": 10.0,
        "plano.rank.1.source": "observed",
        "plano.rank.2": "a/x",
        "plano.rank.2.why": "no data: in declared order behind those with data",
    }


def test_what_is_known_is_found_by_the_qualified_name_then_the_bare_id() -> None:
    assert [known_of(name, {"a/x": 1, "x": 2}) for name in ("a/x", "b/x", "x", "c/z")] == [1, 2, 2, None]
