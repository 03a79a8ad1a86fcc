"""How much a request may bring along in `routing_preferences`, and how much of it a pin keeps."""

import json
from typing import Any

import pytest

from shared.domain.pins import Pin, candidates, encode, with_candidates
from shared.domain.routes import MAX_INLINE_BYTES, Route, from_request
from shared.errors import BadRequest

HERE = "routing_preferences"


def entry(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "description": "d", "models": ["m"], **fields}


def read(*entries: dict[str, Any], prefix: str = "p/") -> tuple[Route, ...] | None:
    return from_request(json.dumps(entries).encode(), lambda name: prefix + name, ())


def several(count: int) -> list[dict[str, Any]]:
    return [entry(name=f"r{n}") for n in range(count)]


MOST = {
    "routes": several(50),
    "candidates": [entry(models=[f"m{n}" for n in range(100)])],
    "name": [entry(name="n" * 128)],
    "description": [entry(description="ü" * 2000)],
    "model": [entry(models=["m" * 256])],
}
MORE = {
    "routes": (several(51), HERE),
    "candidates": ([entry(models=[f"m{n}" for n in range(101)])], f"{HERE}[0].models"),
    "name": ([*several(1), entry(name="n" * 129)], f"{HERE}[1].name"),
    "description": ([entry(description="d" * 2001)], f"{HERE}[0].description"),
    "model": ([entry(models=["m", "m" * 257])], f"{HERE}[0].models[1]"),
}


@pytest.mark.parametrize("what", MOST)
def test_so_much_is_read(what: str) -> None:
    assert len(read(*MOST[what]) or ()) == len(MOST[what])


@pytest.mark.parametrize("what", MORE)
def test_more_is_refused_and_says_where(what: str) -> None:
    entries, place = MORE[what]

    with pytest.raises(BadRequest, match="length <=") as caught:
        read(*entries)

    assert caught.value.param == place


def test_short_aliases_do_not_stand_for_much_more() -> None:
    """The full names travel through the queue."""
    models = [f"{n}" for n in range(100)]

    with pytest.raises(BadRequest, match="too many models") as caught:
        read(*[entry(name=f"r{n}", models=models) for n in range(40)], prefix="provider/a-long-name-of-a-model-")

    assert caught.value.param == HERE
    assert len(json.dumps([entry(models=models)] * 40)) < MAX_INLINE_BYTES


@pytest.mark.parametrize("letter", ["m", "ü", "\x01", "\N{GRINNING FACE}"])
@pytest.mark.parametrize("length", [1, 40, 240])
def test_a_pin_keeps_the_best_candidates_in_4_kb(letter: str, length: int) -> None:
    models = tuple(f"p/{n}{letter * length}" for n in range(100))

    pin = with_candidates(Pin(model_name=models[0], route_name="r" * 128, until=2**40), models)

    kept = pin.models or ()
    assert len(encode(pin)) <= 4096
    assert kept == models[: len(kept)]
    assert candidates(pin, ()) == kept or models[:1]


def test_few_candidates_are_all_kept() -> None:
    pin = with_candidates(Pin(model_name="p/a", route_name="r"), ("p/a", "p/b"))

    assert pin == Pin(model_name="p/a", route_name="r", models=("p/a", "p/b"))


def test_a_pin_that_moves_is_no_longer_than_that() -> None:
    models = ("p/a", *(f"p/{n}" for n in range(1000)), "p/" + "\x01" * 200)

    pin = with_candidates(Pin(model_name="p/a", route_name="r"), models)

    moved = Pin(model_name=models[-1], route_name="r", models=pin.models)
    assert 4000 < len(encode(moved)) <= 4096
