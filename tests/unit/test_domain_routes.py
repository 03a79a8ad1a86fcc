"""Routes that a request brings along."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.routes import MAX_INLINE_BYTES, Prefer, Route, from_request
from shared.errors import BadRequest, UnknownModel

KNOWN = {"fast": "openai/gpt-4o-mini", "gpt-5.2": "openai/gpt-5.2", "openai/gpt-5.2": "openai/gpt-5.2"}
GOOD: dict[str, Any] = {"name": "code", "description": "writing code", "models": ["gpt-5.2", "fast"]}


def qualify(name: str) -> str:
    if name not in KNOWN:
        raise UnknownModel(f"The model {name!r} is not configured", param="model")
    return KNOWN[name]


def read(value: Any) -> tuple[Route, ...]:
    return from_request(json.dumps(value).encode(), qualify, ("cost", "latency")) or ()


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


def test_a_preference_becomes_a_route_with_qualified_models() -> None:
    routes = read([GOOD | {"selection_policy": {"prefer": "cheapest"}}])

    assert routes == (Route("code", "writing code", ("openai/gpt-5.2", "openai/gpt-4o-mini"), Prefer.CHEAPEST),)


def test_the_order_of_the_request_stays() -> None:
    routes = read([GOOD | {"name": name} for name in ("b", "c", "a")])

    assert [route.name for route in routes] == ["b", "c", "a"]


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert read([GOOD | {"weight": 5, "selection_policy": {"prefer": "none", "x": 1}}]) == read([GOOD])


@pytest.mark.parametrize(("raw", "routes"), [(b"null", None), (b" null\n", None), (b"[]", ())])
def test_null_brings_no_routes_and_an_empty_list_brings_none(raw: bytes, routes: tuple[Route, ...] | None) -> None:
    assert from_request(raw, qualify, ()) == routes


@pytest.mark.parametrize(("prefer", "source"), [("cheapest", "cost"), ("fastest", "latency")])
def test_a_preference_needs_its_source(prefer: str, source: str) -> None:
    """The same error as in the config file."""
    raw = json.dumps([GOOD, GOOD | {"name": "b", "selection_policy": {"prefer": prefer}}]).encode()

    with pytest.raises(BadRequest) as caught:
        from_request(raw, qualify, {"cost", "latency"} - {source})

    place = "routing_preferences[1].selection_policy.prefer"
    wrong = f"is {prefer}, which needs a source of type {source}; add one to model_metrics_sources"
    assert str(caught.value) == f"{place} {wrong}"
    assert caught.value.param == place


@pytest.mark.parametrize("policy", [None, {}, {"prefer": None}, {"prefer": ""}, {"prefer": "none"}])
def test_no_preference_keeps_the_declared_order(policy: Any) -> None:
    (route,) = read([GOOD | {"selection_policy": policy}])

    assert route.prefer is Prefer.NONE


def test_fastest_is_a_preference_too() -> None:
    (route,) = read([GOOD | {"selection_policy": {"prefer": "fastest"}}])

    assert route.prefer is Prefer.FASTEST


def test_two_names_of_one_model_are_one_candidate() -> None:
    """`gpt-5.2` and `openai/gpt-5.2` are the same model: tried once, not twice."""
    (route,) = read([GOOD | {"models": ["gpt-5.2", "fast", "openai/gpt-5.2"]}])

    assert route.models == ("openai/gpt-5.2", "openai/gpt-4o-mini")


HERE = "routing_preferences"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({}, HERE),
        ("code", HERE),
        (5, HERE),
        (True, HERE),
        ([5], f"{HERE}[0]"),
        ([None], f"{HERE}[0]"),
        ([GOOD, []], f"{HERE}[1]"),
        ([without("name")], f"{HERE}[0]"),
        ([GOOD, without("description")], f"{HERE}[1]"),
        ([without("models")], f"{HERE}[0]"),
        ([GOOD | {"name": None}], f"{HERE}[0].name"),
        ([GOOD | {"name": 5}], f"{HERE}[0].name"),
        ([GOOD | {"name": ""}], f"{HERE}[0].name"),
        ([GOOD | {"name": " \t"}], f"{HERE}[0].name"),
        ([GOOD | {"description": ["a"]}], f"{HERE}[0].description"),
        ([GOOD | {"models": "gpt-5.2"}], f"{HERE}[0].models"),
        ([GOOD | {"models": None}], f"{HERE}[0].models"),
        ([GOOD | {"models": []}], f"{HERE}[0].models"),
        ([GOOD | {"models": ["fast", 5]}], f"{HERE}[0].models[1]"),
        ([GOOD | {"models": ["fast", "gpt-9"]}], f"{HERE}[0].models[1]"),
        ([GOOD, GOOD | {"name": "b", "models": [""]}], f"{HERE}[1].models[0]"),
        ([GOOD | {"selection_policy": "cheapest"}], f"{HERE}[0].selection_policy"),
        ([GOOD | {"selection_policy": {"prefer": 1}}], f"{HERE}[0].selection_policy.prefer"),
        ([GOOD | {"selection_policy": {"prefer": "Cheapest"}}], f"{HERE}[0].selection_policy.prefer"),
        ([GOOD, GOOD], f"{HERE}[1].name"),
        ([GOOD | {"name": "other"}], f"{HERE}[0].name"),
    ],
)
def test_whatever_is_malformed_is_refused_with_its_place(value: Any, place: str) -> None:
    """A preference that is silently ignored sends the request to a model that nobody asked for."""
    with pytest.raises(BadRequest) as caught:
        read(value)

    assert caught.value.param == place
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [b"[}", b"", b'[{"name":"\xff","description":"","models":["fast"]}]', b"[" + b'{"x":[' * 5000],
    ids=["brackets", "empty", "not UTF-8", "endless"],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        from_request(raw, qualify, ())

    assert caught.value.param == HERE


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(BadRequest, match="'gpt-9' is not configured"):
        read([GOOD | {"models": ["gpt-9"]}])


def test_a_refused_preference_says_what_would_be_right() -> None:
    with pytest.raises(BadRequest, match="is 'best'; it is one of cheapest, fastest, none"):
        read([GOOD | {"selection_policy": {"prefer": "best"}}])


@pytest.fixture
def padded() -> Callable[[int], bytes]:
    """A good preference of so many bytes."""

    def make(size: int) -> bytes:
        return json.dumps([GOOD]).encode().ljust(size)

    return make


def test_32_kib_are_allowed_and_one_byte_more_is_not(padded: Callable[[int], bytes]) -> None:
    assert len(from_request(padded(MAX_INLINE_BYTES), qualify, ()) or ()) == 1

    with pytest.raises(BadRequest, match="32769 bytes; at most 32768") as caught:
        from_request(padded(MAX_INLINE_BYTES + 1), qualify, ())

    assert caught.value.param == HERE
