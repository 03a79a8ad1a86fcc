"""A few bytes in long JSON."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.errors import BadRequest
from web.dialects.fields.body import fields
from web.dialects.fields.byte_search import holds

_TEXT = some.text('ab"\\', max_size=3000).map(str.encode)
_FEW = some.text('ab"\\', max_size=3).map(str.encode)


@given(data=_TEXT, part=_FEW, before=_TEXT)
def test_bytes_are_found_wherever_they_are(data: bytes, part: bytes, before: bytes) -> None:
    assert holds(data, part) == (part in data)
    assert holds(before + part + data, part)
    assert not holds(data[:2], data[:2] + b"c")


@given(said=some.text(max_size=100))
def test_text_beyond_ascii_is_json_like_any_other(said: str) -> None:
    data = msgspec.json.encode([said, "thinking"])

    assert holds(data, b'thinking"')
    assert not holds(data, b'reasoning"')


@pytest.mark.parametrize("content", [b'{"a":"x\0y"}', b'{"a":\0 1}', b'{"a\0":1}'])
def test_a_zero_byte_which_would_end_the_search_is_never_in_a_body(content: bytes) -> None:
    with pytest.raises(BadRequest):
        fields(content)
