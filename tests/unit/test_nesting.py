"""How deep a JSON text is nested."""

import json
from typing import Any

import pytest

from web.nesting import deeper_than


def deep(levels: int, kind: str = "[") -> bytes:
    opened, closed = ("[", "]") if kind == "[" else ('{"a":', "}")
    return (opened * levels + "1" + closed * levels).encode()


@pytest.mark.parametrize("kind", ["[", "{"])
@pytest.mark.parametrize("levels", [1, 5, 6, 7, 20, 99, 100])
def test_the_limit_itself_is_allowed_and_one_more_is_not(kind: str, levels: int) -> None:
    wide = b"[" + b",".join([deep(levels, kind), b"[]", deep(levels, kind)] * 50) + b"]"

    assert not deeper_than(wide, levels + 1)
    assert deeper_than(wide, levels)


def test_brackets_in_strings_do_not_count() -> None:
    texts = ["[" * 500, "]" * 500, '"[' * 200, "\\", '\\"[', "\\\\[", '[\\\\\\"', "{" * 300, ""]

    for text in texts:
        assert not deeper_than(json.dumps([text, *texts, {text: [text]}]).encode(), 4)
        assert deeper_than(json.dumps([text, *texts, [[[[text]]]]]).encode(), 4)


def test_what_closes_in_a_string_hides_nothing() -> None:
    """Else `"]"` after each bracket would let any depth through."""
    value: Any = 1
    for _ in range(50):
        value = ["]", value, "]"]

    assert deeper_than(json.dumps(value).encode(), 49)
    assert not deeper_than(json.dumps(value).encode(), 50)


def test_a_long_conversation_is_as_deep_as_its_deepest_message() -> None:
    """Each is looked at by itself, however many there are."""
    flat = [{"role": "user", "content": [{"type": "text", "text": '{"[' * n}]} for n in range(200)]
    deeper = [*flat, {"role": "tool", "content": [[[[["]"]]]]]}, *flat]

    assert not deeper_than(json.dumps(flat).encode(), 4)
    assert deeper_than(json.dumps(deeper).encode(), 6)
    assert not deeper_than(json.dumps(deeper).encode(), 7)


def test_what_python_could_not_read_is_too_deep() -> None:
    assert deeper_than(deep(5000), 100)
