"""A few bytes in a long body."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from web.dialects.fields import byte_search
from web.dialects.fields.byte_search import holds


@given(data=some.binary(max_size=60), part=some.binary(max_size=3), before=some.binary(max_size=5))
def test_bytes_are_found_wherever_they_are(data: bytes, part: bytes, before: bytes) -> None:
    assert holds(data, part) == (part in data)
    assert holds(before + part + data, part)
    assert not holds(data[:2], data[:2] + b"\0")


def test_a_zero_byte_ends_nothing() -> None:
    assert holds(b"\0\0thinking", b"thinking")
    assert not holds(b"think\0ing", b"think\0ink")


def test_without_the_c_librarys_search_pythons_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_search, "_memmem", None)

    assert holds(b"a thinking model", b"thinking")
    assert not holds(b"a thinking model", b"reasoning")
