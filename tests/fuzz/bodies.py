"""JSON on its way through: taken apart and put together again."""

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from shared.domain.catalog import Model, Provider
from shared.errors import BadRequest
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import JSON, MEMBERS, OBJECTS, SPACE, damaged, last_of_each, object_of
from web import body, outbound
from web.nesting import deeper_than
from web.rewrite import Rewriter

MODEL = Model("openai/gpt-5.2", "gpt-5.2", Provider(name="openai", base_url="http://x/v1", interface="openai"))
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def taken_apart(data: bytes) -> dict[str, bytes]:
    return {key: bytes(value) for key, value in _raw(data).items()}


@target(MEMBERS)
def request_body(members: list[tuple[str, str, str]]) -> None:
    """Every value of a request but `model` reaches the provider byte for byte."""
    sent = outbound.content(body.fields(object_of(members)), MODEL)

    assert taken_apart(sent) == {**last_of_each(members), "model": b'"gpt-5.2"'}


@target(st.tuples(MEMBERS, st.booleans(), st.booleans()))
def answer_body(given: tuple[list[tuple[str, str, str]], bool, bool]) -> None:
    """Every value of an answer reaches the client byte for byte, but for `model` and what marks a pinned one."""
    members, qualified, pinned = given
    expected = last_of_each(members)
    if qualified and "model" in expected:
        expected["model"] = b'"openai/gpt-5.2"'
    if pinned:
        expected["x_plano_pinned"] = b"true"

    told = Rewriter(MODEL.name if qualified else None, pinned=pinned).whole(object_of(members))

    assert taken_apart(told) == expected


@target(damaged(OBJECTS) | st.binary())
def any_body(data: bytes) -> None:
    """Whatever is sent is a JSON object or a bad request; whatever a provider answers is passed on."""
    told = Rewriter(MODEL.name, pinned=True).whole(data)
    fields = outcome(BadRequest, body.fields, data)

    if isinstance(fields, BadRequest):
        assert str(fields).encode()
        assert told == data
    else:
        assert taken_apart(outbound.content(fields, MODEL)).keys() == {*fields, "model"}


@target(st.tuples(st.builds(lambda *parts: "".join(parts), SPACE, JSON, SPACE), st.integers(1, 12)))
def nesting(given: tuple[str, int]) -> None:
    """The depth of a text is told from its brackets alone, whatever its strings hold."""
    text, limit = given

    assert deeper_than(text.encode(), limit) is (_depth(_parsed(text)) > limit)


def _parsed(text: str) -> Any:
    """The text as lists of lists, keys that are there twice included."""
    return _pairs.decode(text.strip())


def _depth(value: Any) -> int:
    if not isinstance(value, list | tuple):
        return 0
    return (isinstance(value, list)) + max((_depth(inner) for inner in value), default=0)


_pairs = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)
