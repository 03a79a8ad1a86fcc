"""Reads many streams at once, in its own process: `python -m bench.stream_reader`, Job on stdin, Delays on stdout."""

import asyncio
import re
import sys
import time

import msgspec

_SENT = re.compile(rb'"sent":"(\d{19})"')
_STAMP_BYTES = len(b'"sent":""') + 19
_END = b"[DONE]"
_GRACE_S = 15.0
SPREAD_S = 1.0
"""Streams begin one after another over so long."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask for; each request opens one stream."""

    port: int
    requests: list[bytes]
    events: int
    """Of each stream."""
    seconds: float
    """A stream takes."""


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How long events were under way, from the provider's sending to our receiving."""

    events: int
    streams_at_once: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    p99_all_open_ms: float
    """Of the events that came while every stream was open: beginning them costs more than carrying them."""
    errors: int
    first_error: str = ""


class _Run:
    """What all streams share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.delays_ns: list[int] = []
        self.all_open_ns: list[int] = []
        self.errors: list[str] = []
        self.open = self.most_open = 0

    def came(self, delay_ns: int) -> None:
        self.delays_ns.append(delay_ns)
        if self.open == len(self.job.requests):
            self.all_open_ns.append(delay_ns)

    def delays(self) -> Delays:
        """What is known at the end."""
        sorted_ms = sorted(delay / 1e6 for delay in self.delays_ns) or [0.0]
        all_open_ms = sorted(delay / 1e6 for delay in self.all_open_ns) or [0.0]
        return Delays(
            events=len(self.delays_ns),
            streams_at_once=self.most_open,
            p50_ms=sorted_ms[len(sorted_ms) // 2],
            p99_ms=sorted_ms[len(sorted_ms) * 99 // 100],
            max_ms=sorted_ms[-1],
            p99_all_open_ms=all_open_ms[len(all_open_ms) * 99 // 100],
            errors=len(self.errors),
            first_error=self.errors[0] if self.errors else "",
        )


class _Stream(asyncio.Protocol):
    """Sends its request, and notes each event as it comes."""

    def __init__(self, run: _Run, request: bytes) -> None:
        self._run = run
        self._request = request
        self._events = 0
        self._rest = b""
        self._begun = False
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._rest + data
        if not self._begun:
            self._begun = True
            self._run.open += 1
            self._run.most_open = max(self._run.most_open, self._run.open)
            if not data.startswith(b"HTTP/1.1 200"):
                self._end(f"{data[:200]!r}")
                return
        last = 0
        for found in _SENT.finditer(data):
            self._run.came(now - int(found[1]))
            self._events += 1
            last = found.end()
        if _END in data[last:]:
            missing = self._run.job.events - self._events
            self._end(f"{missing} events are missing" if missing else "")
            return
        self._rest = data[max(last, len(data) - _STAMP_BYTES) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"broken off after {self._events} events: {exc}")

    def _end(self, error: str) -> None:
        if self.done.done():
            return
        self._run.open -= self._begun
        if error:
            self._run.errors.append(error)
        self.done.set_result(None)
        self._transport.close()


async def _read(job: Job) -> Delays:
    run = _Run(job)
    begun = await asyncio.gather(*(_begun(run, n) for n in range(len(job.requests))), return_exceptions=True)
    run.errors += [f"no connection: {failed}" for failed in begun if isinstance(failed, BaseException)]
    waits = [stream.done for stream in begun if isinstance(stream, _Stream)]
    if waits:
        _, unfinished = await asyncio.wait(waits, timeout=job.seconds + _GRACE_S)
        run.errors += ["a stream did not end"] * len(unfinished)
    return run.delays()


async def _begun(run: _Run, n: int) -> _Stream:
    request = run.job.requests[n]
    await asyncio.sleep(n * SPREAD_S / len(run.job.requests))
    async with asyncio.timeout(_GRACE_S):
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: _Stream(run, request), "127.0.0.1", run.job.port
        )
    return stream


def main() -> None:
    """Run the job."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_read(job))))


if __name__ == "__main__":
    main()
