"""Event streams, in whatever pieces they come."""

from hypothesis import strategies as st

from tests.fuzz.target import target
from tests.fuzz.texts import OBJECTS, damaged, pieces, values
from web.dialects.chat import ChatReader
from web.proxy.streams import Lines

NAME = "openai/gpt-5.2"
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])
LINES = st.one_of(
    OBJECTS.map("data: {}".format),
    OBJECTS.map("data:{}".format),
    OBJECTS.map('data: {{"model": "gpt-5.2", "id": {}}}'.format),
    st.sampled_from(["event: message", ": comment", "data: [DONE]", "data:", "id: 1", 'data: {"model":', ""]),
)
STREAMS = st.lists(st.tuples(LINES, ENDS).map("".join), max_size=6).map("".join)
CUT = pieces(damaged(STREAMS) | STREAMS.map(str.encode))


def lines_of(chunks: list[bytes]) -> list[bytes]:
    cutter = Lines()
    complete = [line for chunk in chunks for line in cutter.feed(chunk)]
    rest = cutter.rest()
    return [*complete, rest] if rest else complete


@target(CUT)
def stream_cutting(chunks: list[bytes]) -> None:
    """A stream has the same lines however it is cut, and every byte is in one of them."""
    assert lines_of(chunks) == b"".join(chunks).splitlines(keepends=True)


@target(CUT)
def stream_untouched(chunks: list[bytes]) -> None:
    """A stream that keeps the provider's name passes byte for byte."""
    rewriter = ChatReader(None, pinned=False)

    assert b"".join(map(rewriter.line, lines_of(chunks))) == b"".join(chunks)


@target(pieces(STREAMS.map(str.encode)))
def stream_renamed(chunks: list[bytes]) -> None:
    """In a stream only the values of `model` change, and only in lines of data."""
    rewriter = ChatReader(NAME, pinned=True)

    for line in lines_of(chunks):
        told = rewriter.line(line)
        if told == line:
            continue
        was, now = values(line[5:]), values(told[5:])
        assert told.startswith(b"data:")
        assert now == {**was, "model": NAME}
        assert "model" in was
        assert told[len(told.rstrip()) :] == line[len(line.rstrip()) :]
