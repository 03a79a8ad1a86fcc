"""JSON on its way through: taken apart and put together again."""

import msgspec
from hypothesis import strategies as st

from shared.domain.catalog import Model, Provider
from shared.errors import BadRequest
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import MEMBERS, OBJECTS, damaged, last_of_each, object_of
from web.dialects import chat
from web.dialects.chat import ChatReader
from web.dialects.fields import body

MODEL = Model("openai/gpt-5.2", "gpt-5.2", Provider(name="openai", base_url="http://x/v1", interface="openai"))
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def taken_apart(data: bytes) -> dict[str, bytes]:
    return {key: bytes(value) for key, value in _raw(data).items()}


@target(MEMBERS)
def request_body(members: list[tuple[str, str, str]]) -> None:
    """Every value of a request but `model` reaches the provider byte for byte."""
    sent = b"".join(chat.upstream_body(body.fields(object_of(members)), MODEL))

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

    told = ChatReader(MODEL.name if qualified else None, pinned=pinned).whole(object_of(members))

    assert taken_apart(told) == expected


@target(damaged(OBJECTS) | st.binary())
def any_body(data: bytes) -> None:
    """Whatever is sent is a JSON object or a bad request; whatever a provider answers is passed on."""
    told = ChatReader(MODEL.name, pinned=True).whole(data)
    fields = outcome(BadRequest, body.fields, data)

    if isinstance(fields, BadRequest):
        assert str(fields).encode()
        assert told == data
    else:
        assert taken_apart(b"".join(chat.upstream_body(fields, MODEL))).keys() == {*fields, "model"}
