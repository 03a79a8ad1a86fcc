"""Whether an operator's walk over a million pins slows pinned requests: `python -m bench.walk`."""

import argparse
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench import load, machine, report, stage
from bench.pinned_pool import PINNED, PinnedPool
from bench.report import Figures
from bench.stage import Stage
from tests.web.operators import TOKEN, Api
from tests.web.staged import seed

QUESTION = "How much slower is a pinned decision while an operator walks over a million pins of the same process?"
ALONE, KEYS, SEARCH = "alone", "beside a walk over all keys", "beside a search among all sessions"
ONE, MANY = 1, 8
TARGETS = {side: {f"p50_of_alone_at_{ONE}": "≤ 2", f"p50_of_alone_at_{MANY}": "≤ 2"} for side in (KEYS, SEARCH)}
_PAGE = 1000


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3, add=_more)
    limit_s = 120 + asked.sessions // 500 + 20 * asked.runs * (asked.seconds + 2)
    with stage.stage(limit_s=limit_s) as built, machine.on(stage.others()):
        pool = _Pool(built, asked.seconds)
        seed(f"redis://127.0.0.1:{built.redis_port}", asked.sessions)
        sides = {
            ALONE: pool.alone,
            KEYS: lambda: pool.beside(pool.page_of_keys),
            SEARCH: lambda: pool.beside(pool.page_of_a_search),
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    report.publish("walk", QUESTION, asked.runs, results, {"sessions": asked.sessions, "seconds": asked.seconds})


class _Pool:
    """A web process with a core for itself; the operator and the clients ask it."""

    def __init__(self, built: Stage, seconds: int) -> None:
        self._pinned = PinnedPool(built, PLANO_ADMIN_TOKEN=TOKEN)
        self._pinned.warm_up(stage.DECISION)
        self._api = Api(f"http://127.0.0.1:{self._pinned.port}")
        self._seconds = seconds
        self._alone: Figures = {}

    def alone(self) -> Figures:
        """Nobody walks; what follows in the same run is compared with it."""
        self._alone = self._asked()
        return self._alone

    def beside(self, page: Callable[[int], int]) -> Figures:
        """The same while somebody walks, and how many pages were seen meanwhile."""
        with _walking(page) as seen:
            found = self._asked()
            pages = len(seen)
        ratios = {
            f"p50_of_alone_at_{number}": found[f"p50_ms_at_{number}"] / self._alone[f"p50_ms_at_{number}"]
            for number in (ONE, MANY)
        }
        return {**found, **ratios, "pages": pages}

    def page_of_keys(self, cursor: int) -> int:
        """The next page of all keys of pins; where to go on."""
        answer = self._api.get("/pins", cursor=cursor, count=_PAGE)
        answer.raise_for_status()
        return int(answer.json()["cursor"])

    def page_of_a_search(self, after: int) -> int:
        """The next page of the sessions with a text that none has; where to go on."""
        answer = self._api.get("/sessions", every="true", text="nobody-has-this", after=after)
        answer.raise_for_status()
        return int(answer.json()["after"])

    def _asked(self) -> Figures:
        asks = stage.requests(stage.DECISION, self._pinned.sessions)
        found: Figures = {}
        for number in (ONE, MANY):
            done = load.loop(
                self._pinned.port, asks, connections=number, seconds=self._seconds, required=PINNED, own=True
            )
            found |= {f"p50_ms_at_{number}": done.p50_ms, f"p99_ms_at_{number}": done.p99_ms}
        return found


@contextmanager
def _walking(page: Callable[[int], int]) -> Iterator[list[int]]:
    """Somebody asks for page after page, from the beginning again at the end; where each page ended.

    Raises what ended the walk before its time: the figures would be those of nobody walking.
    """
    stop = threading.Event()
    seen: list[int] = [0]

    def walk() -> None:
        while not stop.is_set():
            seen.append(page(seen[-1]))

    with ThreadPoolExecutor(1) as pool:
        walking = pool.submit(walk)
        try:
            yield seen
        finally:
            stop.set()
        walking.result()


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=1_000_000, help="so many are in Redis (%(default)s)")


if __name__ == "__main__":
    main()
