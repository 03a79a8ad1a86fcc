"""A body on its way to a provider: the same JSON, and no second copy of what is long."""

import msgspec
import pytest

from web.dialects.fields import body

LONG = 'é\\n"' * 30_000


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"model": "m"},
        {"model": "m", "messages": LONG, "stream": True},
        {"messages": LONG, "model": "m"},
        {"model": "m", 'é"': LONG, "input": LONG},
        {f"f{n}": "x" * 60_000 for n in range(100)},
    ],
    ids=["nothing", "short", "in the middle", "first", "last", "many"],
)
def test_the_pieces_are_the_body(said: dict[str, object]) -> None:
    sent = msgspec.json.encode(said)

    assert b"".join(body.pieces(body.fields(sent))) == sent


def test_a_long_value_is_the_clients_own_bytes() -> None:
    sent = msgspec.json.encode({"tools": LONG, "model": "m", "messages": LONG})

    pieces = body.pieces(body.fields(sent))

    views = [piece for piece in pieces if isinstance(piece, memoryview)]
    assert [bytes(view) for view in views] == [msgspec.json.encode(LONG)] * 2
    assert sum(map(len, pieces)) - sum(map(len, views)) < 50
