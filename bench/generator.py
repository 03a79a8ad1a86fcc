"""Our own load generator, a process of its own: `python -m bench.generator`, a Job on stdin, a Load on stdout."""

import asyncio
import itertools
import re
import sys
import time
from collections import deque
from collections.abc import Iterator

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)")
_CONNECT_S = 10.0
_GRACE_S = 10.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, and what a right answer looks like; header names in lower case."""

    port: int
    requests: list[bytes]
    connections: int
    seconds: int
    once: bool = False
    required: str | None = None
    forbidden: str | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    requests: int
    """Answers that came in time."""
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    first_error: str = ""

    @property
    def requests_per_s(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


class _Run:
    """What the connections of one load share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._requests: Iterator[bytes] = iter(job.requests) if job.once else itertools.cycle(job.requests)
        self._began = self._ended = time.perf_counter()
        self._latencies: list[float] = []
        self._errors: deque[str] = deque()

    def begin(self) -> None:
        self._began = self._ended = time.perf_counter()

    def next(self) -> bytes | None:
        """What to send next; None at the end."""
        if time.perf_counter() - self._began >= self.job.seconds:
            return None
        return next(self._requests, None)

    def answered(self, head: bytes, rest: bytes, sent: float) -> None:
        """Note an answer; `head` in lower case."""
        now = time.perf_counter()
        fault = self._fault(head)
        if fault:
            self.failed(f"{fault}: {rest[:200]!r}")
        elif now - self._began <= self.job.seconds:
            self._ended = now
            self._latencies.append(now - sent)

    def failed(self, why: str) -> None:
        self._errors.append(why)

    def load(self) -> Load:
        """What is known by now."""
        if next(self._requests, None) is not None:  # the time ended it, not the last request
            self._ended = self._began + self.job.seconds
        sorted_ms = sorted(latency * 1000 for latency in self._latencies) or [0.0]
        return Load(
            requests=len(self._latencies),
            seconds=self._ended - self._began,
            p50_ms=sorted_ms[len(sorted_ms) // 2],
            p99_ms=sorted_ms[len(sorted_ms) * 99 // 100],
            max_ms=sorted_ms[-1],
            errors=len(self._errors),
            first_error=self._errors[0] if self._errors else "",
        )

    def _fault(self, head: bytes) -> str | None:
        if not head.startswith(b"http/1.1 2"):
            return head[9:12].decode("latin-1")
        if self.job.forbidden and f"\r\n{self.job.forbidden}:".encode() in head:
            return f"with {self.job.forbidden}"
        if self.job.required and f"\r\n{self.job.required}:".encode() not in head:
            return f"without {self.job.required}"
        return None


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        """The next request, or the end."""
        request = self._run.next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length = _LENGTH.search(head)
        if length and len(self._buffer) < head_end + 4 + int(length[1]):
            return
        if not length and not self._buffer.endswith(b"\r\n0\r\n\r\n"):  # chunked; nothing follows unasked
            return
        rest, self._buffer = self._buffer[head_end + 4 :], b""
        self._run.answered(head, rest, self._sent)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._run.failed(f"connection closed in place of an answer: {exc}")
            self.done.set_result(None)


async def _loaded(job: Job) -> Load:
    run = _Run(job)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_CONNECT_S):
        made = await asyncio.gather(
            *(loop.create_connection(lambda: _Connection(run), "127.0.0.1", job.port) for _ in range(job.connections))
        )
    run.begin()
    for _, connection in made:
        connection.send()
    waits = [connection.done for _, connection in made]
    _, unanswered = await asyncio.wait(waits, timeout=job.seconds + _GRACE_S)
    for _ in unanswered:
        run.failed("no answer")
    return run.load()


def main() -> None:
    """Run the job."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_loaded(job))))


if __name__ == "__main__":
    main()
