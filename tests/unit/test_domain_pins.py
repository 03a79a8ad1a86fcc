"""What a pin looks like in Redis."""

import json

import msgspec
import pytest

from shared.domain.pins import Pin, candidates, decode, encode
from shared.domain.routes import Route

ROUTES = (Route("code", "", ("a/1", "b/2", "c/3")), Route("chat", "", ("d/4",)))


def test_a_pin_has_exactly_two_fields() -> None:
    """A replica of the reference reads the same value."""
    value = encode(Pin(model_name="openai/gpt-5.2", route_name="code"))

    assert value == b'{"model_name":"openai/gpt-5.2","route_name":"code"}'


def test_no_route_is_written_as_null() -> None:
    assert json.loads(encode(Pin(model_name="a/1", route_name=None))) == {"model_name": "a/1", "route_name": None}


def test_candidates_are_written_only_when_they_came_with_the_request() -> None:
    pin = Pin(model_name="a/1", route_name="code", models=("a/1", "b/2"))

    assert list(json.loads(encode(pin))) == ["model_name", "route_name", "models"]
    assert decode(encode(pin)) == pin


def test_other_white_space_and_unknown_fields_are_read_all_the_same() -> None:
    value = b'{ "route_name" : "code",\n "model_name" : "a/1", "since": 5 }'

    assert decode(value) == Pin(model_name="a/1", route_name="code")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"none",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        b'{"model_name":null,"route_name":null}',
        b'{"model_name":"a/1"}',
        b'{"model_name":"a/1","route_name":5}',
        b'{"model_name":"a/1","route_name":null,"models":"a/1"}',
        b'{"model_name":"\xff","route_name":null}',
    ],
)
def test_anything_else_is_no_pin(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(value)


def test_the_pinned_model_leads_and_the_rest_of_its_route_follows() -> None:
    assert candidates(Pin(model_name="b/2", route_name="code"), ROUTES) == ("b/2", "a/1", "c/3")


def test_a_pins_own_candidates_go_before_those_of_the_config() -> None:
    pin = Pin(model_name="x/9", route_name="code", models=("x/9", "y/8"))

    assert candidates(pin, ROUTES) == ("x/9", "y/8")


@pytest.mark.parametrize("route_name", [None, "gone"])
def test_a_pin_without_a_known_route_has_its_model_only(route_name: str | None) -> None:
    assert candidates(Pin(model_name="a/1", route_name=route_name), ROUTES) == ("a/1",)
