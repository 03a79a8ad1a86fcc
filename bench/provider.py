"""A provider, or a router model, that costs next to nothing: `python -m bench.provider PORT`.

It reads no more of a request than its path, where it ends and whether it asks for a stream, and answers in the API
that the path names, with bytes made once. `GET /_counts` tells {"calls", "most_open"} since it was asked last: how
many requests came, and how many of them waited for their answer at the same time. `GET /_delay/MS` sets the delay.
Events of chat that come at intervals say when they were sent: `"sent":"…"`, 19 digits of CLOCK_MONOTONIC in ns,
which all processes of a machine share.
"""

import argparse
import asyncio
import re
import signal
import time
from functools import cache, partial

from bench import speech

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_STAMP = speech.NEVER.encode()


class Script:
    """What is answered, and when."""

    def __init__(self, *, content: str, delay_s: float, events: int, interval_s: float) -> None:
        self.delay_s = delay_s
        self.interval_s = interval_s
        self.answer = cache(lambda path: _whole(speech.answer(path, content)))
        self.stream = cache(lambda path: _pieces(speech.stream(path, events)))


class Counts:
    """What `/_counts` tells."""

    def __init__(self) -> None:
        self.calls = self.open = self.most_open = 0

    def begin(self) -> None:
        self.calls += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def end(self) -> None:
        self.open -= 1

    def told(self) -> bytes:
        """The counts as an answer; they start anew."""
        said = {"calls": self.calls, "most_open": self.most_open}
        self.calls, self.most_open = 0, self.open
        return _whole(speech.encoded(said))


class Connection(asyncio.Protocol):
    """One client; it sends its next request when it has the answer."""

    def __init__(self, script: Script, counts: Counts) -> None:
        self._script = script
        self._counts = counts
        self._buffer = b""
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request has arrived as a whole."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head_end)
        if len(self._buffer) < head_end + 4 + (int(length[1]) if length else 0):
            return
        request, self._buffer = self._buffer, b""
        path = request.split(maxsplit=2)[1].decode()
        if path.startswith("/_"):
            self._control(path)
            return
        self._counts.begin()
        self._waiting = True
        answer = self._begin_stream if _STREAM.search(request, head_end) else self._answer
        if self._script.delay_s:
            self._loop.call_later(self._script.delay_s, answer, path)
        else:
            answer(path)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Whether it heard its answer or not, the client no longer waits."""
        self._end()

    def _control(self, path: str) -> None:
        if path.startswith("/_delay/"):
            self._script.delay_s = float(path.removeprefix("/_delay/")) / 1000
        self._transport.write(self._counts.told())

    def _answer(self, path: str) -> None:
        self._transport.write(self._script.answer(path))
        self._end()

    def _begin_stream(self, path: str) -> None:
        pieces = self._script.stream(path)
        if self._script.interval_s:
            self._transport.write(_STREAM_HEAD)
            self._next_event(pieces, 0, self._loop.time())
        else:
            self._transport.write(_STREAM_HEAD + b"".join(pieces))
            self._end()

    def _next_event(self, pieces: list[bytes], n: int, due: float) -> None:
        """Events are due at fixed times, so that a late one does not delay those after it."""
        if self._transport.is_closing():
            return
        self._transport.write(pieces[n].replace(_STAMP, b"%019d" % time.monotonic_ns()))
        if n + 1 < len(pieces):
            due += self._script.interval_s
            self._loop.call_at(due, self._next_event, pieces, n + 1, due)
        else:
            self._end()

    def _end(self) -> None:
        if self._waiting:
            self._waiting = False
            self._counts.end()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m bench.provider", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--content", default="A short answer of the stand-in.", help="what an answer says")
    parser.add_argument("--delay-ms", type=float, default=0, help="before each answer or stream")
    parser.add_argument("--events", type=int, default=20, help="of a stream that hold text")
    parser.add_argument("--interval-ms", type=float, default=0, help="between a stream's events; 0: all at once")
    asked = parser.parse_args()
    script = Script(
        content=asked.content,
        delay_s=asked.delay_ms / 1000,
        events=asked.events,
        interval_s=asked.interval_ms / 1000,
    )
    asyncio.run(_serve(asked.port, script))


async def _serve(port: int, script: Script) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await loop.create_server(partial(Connection, script, Counts()), "127.0.0.1", port, backlog=2048)
    await stop.wait()


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _pieces(events: list[bytes]) -> list[bytes]:
    """The chunks of a body, the end of which comes with the last."""
    return [*map(_chunked, events[:-1]), _chunked(events[-1]) + b"0\r\n\r\n"]


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    main()
