"""Inputs as clients, providers and operators could send them."""

import itertools
import json
from typing import Any

from hypothesis import strategies as st

SPACE = st.sampled_from(["", "", "", " ", "\n", "\t\r ", "   "])
CHARACTERS = st.characters(exclude_categories=["Cs"])
ANY_TEXT = st.text(CHARACTERS, max_size=30)
ODD_TEXT = st.text(st.sampled_from('[]{}":,\\/\n\x00\x7f\x85\u2028é🚀model'), max_size=12)
STRINGS = st.builds(
    lambda text, plain: json.dumps(text, ensure_ascii=plain), ANY_TEXT | ODD_TEXT, st.booleans()
) | st.sampled_from(['"\\u0000"', '"\\/"', '"\\ud83d\\ude80"', '"mod\\u0065l"'])
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,6})?", fullmatch=True)
KEYS = STRINGS | st.sampled_from(['"model"', '"messages"', '"usage"', '"x_plano_pinned"', '"a"'])


def _array(parts: list[tuple[str, str]]) -> str:
    return "[" + ",".join(space + value + space for value, space in parts) + "]"


def _object(members: list[tuple[str, str, str]]) -> str:
    return "{" + ",".join(f"{space}{key}{space}:{space}{value}" for key, value, space in members) + "}"


JSON = st.recursive(
    STRINGS | NUMBERS | st.sampled_from(["null", "true", "false"]),
    lambda inner: st.one_of(
        st.lists(st.tuples(inner, SPACE), max_size=4).map(_array),
        st.lists(st.tuples(KEYS, inner, SPACE), max_size=4).map(_object),
    ),
    max_leaves=12,
)
"""Any JSON text: numbers of any size, keys that are there twice, escapes that need not be."""

MEMBERS = st.lists(st.tuples(KEYS, JSON, SPACE), max_size=6)
"""What an object is made of, in its order."""

OBJECTS = MEMBERS.map(_object)


def object_of(members: list[tuple[str, str, str]]) -> bytes:
    """The object that is made of them."""
    return _object(members).encode()


def last_of_each(members: list[tuple[str, str, str]]) -> dict[str, bytes]:
    """Each key and its value as written; of a key that is there twice, the last one, as JSON parsers have it."""
    return {json.loads(key): value.encode() for key, value, _ in members}


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[str]) -> bytes:
    """Bytes that were such a text once: cut, doubled, or with something odd in them."""
    data = draw(whole).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 5)))
        odd = draw(st.sampled_from(_ODD_BYTES) | st.binary(max_size=3))
        data = data[:at] + odd + data[to:]
    return data


_ODD_BYTES = [b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"[" * 300, b'{"a":' * 300, b'"', b"\\", b"\\ud800", b"1e999"]


def pieces(of: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """The same, cut anywhere."""

    def cut(data: bytes, places: list[int]) -> list[bytes]:
        marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
        return [data[start:end] for start, end in itertools.pairwise(marks)]

    return st.builds(cut, of, st.lists(st.integers(0, 2**16), max_size=8))


def values(text: bytes) -> Any:
    """What a JSON text means, numbers as they are written."""
    return json.loads(text, parse_float=str, parse_int=str)
