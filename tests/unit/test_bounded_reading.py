"""What a body may make the reader do: memory and work are bounded by what is read, not by what was sent."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from shared.domain import conversation
from shared.errors import BadRequest
from web.dialects import chat
from web.dialects.fields import body
from web.proxy.ways import Asked

MANY = 400_000
SMALL_BYTES = 4_000_000
"""A reader that made a Python object of each of so many values would need some 30 MB."""
ASKED = b'{"role":"user","content":"hi"}'


@contextmanager
def little_memory() -> Iterator[None]:
    """Fails when much more memory was needed than the input took."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < SMALL_BYTES
    finally:
        tracemalloc.stop()


def refused(read: Callable[[bytes], object], data: bytes) -> BadRequest:
    with little_memory(), pytest.raises(BadRequest) as caught:
        read(data)
    return caught.value


@pytest.mark.parametrize("element", [b"0", b"{}", b"[]", b'""', ASKED])
def test_a_conversation_of_very_many_messages_is_refused_before_it_is_read(element: bytes) -> None:
    error = refused(conversation.read, b"[" + b",".join([element] * MANY) + b"]")

    assert error.param == "messages"
    assert "more than 10000" in str(error)


@pytest.mark.parametrize("size", [2, 100])
def test_ten_thousand_messages_are_read_and_one_more_is_refused(size: int) -> None:
    """Whether they are a large text or a small one."""
    filler = b"{}".ljust(size)

    allowed = conversation.read(b"[" + b",".join([filler] * 9_999 + [ASKED]) + b"]")

    assert allowed == [conversation.Message("user", "hi")]
    with pytest.raises(BadRequest):
        conversation.read(b"[" + b",".join([filler] * 10_000 + [ASKED]) + b"]")


def test_a_message_of_very_many_parts_has_no_text_for_the_router() -> None:
    """The provider may know what to do with it."""
    parts = b'{"role":"user","content":[' + b",".join([b"{}"] * MANY) + b"]}"

    with little_memory():
        read = conversation.read(b"[" + ASKED + b"," + parts + b"]")

    assert read == [conversation.Message("user", "hi")]


def test_what_is_before_the_routers_window_is_not_read() -> None:
    """It stops with the message that does not fit, so that no message before it can be wrong."""
    turns = [5, {"role": "assistant", "content": "x" * 9000}, {"role": "user", "content": "hi"}]

    assert conversation.read(json.dumps(turns).encode())[-1] == conversation.Message("user", "hi")


def test_a_large_conversation_is_read_as_a_small_one_is() -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": f"{n} " + "ä" * 50_000}]} for n in range(3)]

    (message,) = conversation.read(json.dumps(turns).encode())

    assert message.content.startswith("2 ää")
    with pytest.raises(BadRequest, match=r"messages\[2\]"):
        conversation.read(json.dumps([*turns[:2], 5]).encode())
    with pytest.raises(BadRequest, match="not a list"):
        conversation.read(json.dumps({"a": "x" * 70_000}).encode())


@pytest.mark.parametrize(
    "names",
    [(f"f{n}" for n in range(MANY)), ["same"] * MANY, ["", *(["-" * 8192] * 5), *(["" for _ in range(MANY)])]],
    ids=["different", "the same", "odd"],
)
def test_a_body_of_very_many_fields_is_refused_before_it_is_read(names: Iterator[str]) -> None:
    error = refused(body.fields, b"{" + b",".join(b'"%s":0' % name.encode() for name in names) + b"}")

    assert str(error) == "The body has more than 1000 fields"


@pytest.mark.parametrize("padding", [0, 70_000])
def test_a_thousand_fields_are_read_and_one_more_is_refused(padding: int) -> None:
    """Whether the body is large or not."""
    said = {"-" * 8192: 1, "é": "x" * padding, **{f"f{n}": n for n in range(998)}}

    fields = body.fields(json.dumps(said).encode())

    assert {name: msgspec.json.decode(value) for name, value in fields.items()} == said
    assert type(next(iter(fields))) is str
    with pytest.raises(BadRequest, match="more than 1000 fields"):
        body.fields(json.dumps({**said, "more": 1}).encode())


@pytest.mark.parametrize("padding", [b"", b" " * 70_000])
@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"[]", "not an object"),
        (b'"x"', "not an object"),
        (b'{"a":1', "not JSON"),
        (b'{"\xff":1}', "not JSON"),
        (b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}", "too deeply"),
    ],
)
def test_what_is_no_object_is_refused_alike(padding: bytes, sent: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        body.fields(padding + sent)


def test_of_a_repeated_field_the_last_counts() -> None:
    filler = b" " * 70_000

    assert body.fields(b'{"a":1,"a":2}' + filler) == body.fields(b'{"a":1,"a":2}')


def test_a_body_of_very_many_values_is_not_translated() -> None:
    """They would all be Python objects; a body that is passed on as it came may hold any number."""
    few, many = (msgspec.Raw(b'[{"role":"user","content":[' + b"0," * n + b"0]}]") for n in (499_000, 600_000))

    assert len(Asked(chat, {"messages": few}, b"").decoded()["messages"]) == 1
    with little_memory(), pytest.raises(BadRequest, match="too many values"):
        Asked(chat, {"messages": many}, b"").decoded()
