"""Whether one web process carries a thousand streams at once: `python -m bench.streams`."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from bench import load, machine, report, stage
from bench.pinned_pool import SESSIONS, PinnedPool
from bench.report import Figures
from bench.stream_reader import SPREAD_S, Delays, Job
from tests.harness import ROOT

QUESTION = (
    "What does one web process add to each chunk of 1,000 streams at once, a chunk every 100 ms, "
    "and what does it take?"
)
STREAMS = 1000
INTERVAL_MS = 100
SAMPLE_EVERY_S = 0.5
_POOL = {"errors": "0", "added_p99_ms": "≤ 20", "added_p99_all_open_ms": "≤ 20", "web_most_rss_mb": "≤ 200"}
TARGETS = {"pool": _POOL}


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=8)
    events = asked.seconds * 1000 // INTERVAL_MS
    with stage.stage(limit_s=60 + 2 * asked.runs * (asked.seconds + 20)) as built, machine.on(stage.others()):
        pool = PinnedPool(built, provider_options=("--events", str(events), "--interval-ms", str(INTERVAL_MS)))
        streams = _Streams(pool, events, asked.seconds)
        results = report.interleaved({"provider alone": streams.direct, "pool": streams.pooled}, asked.runs, TARGETS)
    setting = {"streams": STREAMS, "interval_ms": INTERVAL_MS, "seconds": asked.seconds}
    report.publish("streams", QUESTION, asked.runs, results, setting)


class _Streams:
    """The same streams from the provider itself and through the pool."""

    def __init__(self, pool: PinnedPool, events: int, seconds: int) -> None:
        self._pool = pool
        self._events = events
        self._seconds = seconds
        self._direct: Delays | None = None
        sessions = [SESSIONS[n % len(SESSIONS)] for n in range(STREAMS)]
        self._asks = stage.requests(stage.CHAT, sessions, stream=True)

    def direct(self) -> Figures:
        """The provider; what follows in the same run is compared with it."""
        self._direct = self._read(self._pool.provider.port)
        return _figures(self._direct)

    def pooled(self) -> Figures:
        """The pool: what it adds, and what it takes."""
        assert self._direct
        meter = self._pool.meter()
        delays, most_rss_mb = _beside(lambda: self._read(self._pool.port), self._rss_mb)
        used_s = meter.read()["web"]
        return {
            **_figures(delays),
            "added_p50_ms": delays.p50_ms - self._direct.p50_ms,
            "added_p99_ms": delays.p99_ms - self._direct.p99_ms,
            "added_p99_all_open_ms": delays.p99_all_open_ms - self._direct.p99_all_open_ms,
            "web_processor_ms_per_chunk": used_s * 1000 / max(delays.events, 1),
            "web_share_of_its_core": used_s / (self._seconds + SPREAD_S),
            "web_most_rss_mb": most_rss_mb,
        }

    def _rss_mb(self) -> float:
        """Of the process that serves; gunicorn's other one only starts it."""
        return max(map(machine.own_rss_mb, machine.tree(self._pool.web.pid)))

    def _read(self, port: int) -> Delays:
        job = Job(port=port, requests=self._asks, events=self._events, seconds=self._seconds)
        done = subprocess.run(
            [sys.executable, "-m", "bench.stream_reader"],
            input=msgspec.json.encode(job),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
            timeout=self._seconds + 60,
        )
        delays = msgspec.json.decode(done.stdout, type=Delays)
        if not delays.events:
            raise load.Failed(f"{delays.errors} errors, the first: {delays.first_error}")
        if delays.errors:
            sys.stderr.write(f"{delays.errors} errors, the first: {delays.first_error}\n")
        return delays


def _beside(run: Callable[[], Delays], sample: Callable[[], float]) -> tuple[Delays, float]:
    """What the run returns, and the most that was sampled meanwhile."""
    most = sample()
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run)
        while not running.done():
            time.sleep(SAMPLE_EVERY_S)
            most = max(most, sample())
        return running.result(), most


def _figures(delays: Delays) -> Figures:
    return {
        "errors": delays.errors,
        "streams_at_once": delays.streams_at_once,
        "chunks": delays.events,
        "p50_ms": delays.p50_ms,
        "p99_ms": delays.p99_ms,
        "max_ms": delays.max_ms,
        "p99_all_open_ms": delays.p99_all_open_ms,
    }


if __name__ == "__main__":
    main()
