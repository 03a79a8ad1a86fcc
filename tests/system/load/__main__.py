"""`python -m tests.system.load --seconds 60 --sessions 200`: a line for each scenario; 1 when a count is not 0."""

import argparse
import itertools
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.system import balancers
from tests.system.load.counts import Counts, count, examples
from tests.system.load.run import run
from tests.system.load.scenarios import MOST, Scenario, scenarios

_COLUMNS = ("requests", "hung", "split", "degraded", "unpinned", "errors", "p50 ms", "p99 ms", "max ms")


def main() -> int:
    """Run all scenarios, again and again until the time is over."""
    asked = _arguments()
    if asked.balancer and not balancers.program(asked.balancer):
        sys.exit(f"{asked.balancer} is not installed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the pool ends too
    folder = Path(tempfile.mkdtemp(prefix="plano-load-"))
    end = time.monotonic() + asked.seconds
    once = scenarios(most=asked.sessions, rounds=asked.rounds, balancer=asked.balancer, busy=asked.busy)
    wrong: list[str] = []
    _say(_line("scenario", _COLUMNS))
    for n, scenario in enumerate(itertools.cycle(once)):
        if n >= len(once) and time.monotonic() >= end:
            break
        wrong += _reported(scenario, folder / str(n))
    if not wrong:
        shutil.rmtree(folder)
        return 0
    _say("\n".join(["", *wrong, f"logs in {folder}"]))
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.system.load", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="no scenario begins again after them; each runs once  [%(default)s]"
    )
    parser.add_argument("--sessions", type=int, default=MOST, help="of the largest scenario, at once  [%(default)s]")
    parser.add_argument("--rounds", type=int, help="of each scenario, with new sessions  [as each is meant]")
    parser.add_argument("--balancer", choices=("none", *balancers.NAMES), default="none", help="agents are behind it")
    parser.add_argument("--busy", action="store_true", help="beside two processes that never rest")
    asked = parser.parse_args()
    asked.balancer = None if asked.balancer == "none" else asked.balancer
    return asked


def _reported(scenario: Scenario, folder: Path) -> list[str]:
    """Run it and print its line; returns what must not happen and did, with examples."""
    folder.mkdir()
    turns = run(scenario, folder)
    counts = count(turns)
    _say(_line(scenario.title, _figures(counts)))
    return [] if counts.clean else [f"{scenario.title}, run {folder.name}:", *examples(turns)]


def _figures(counts: Counts) -> list[str]:
    whole = (counts.requests, counts.hung, counts.split, counts.degraded, counts.unpinned, counts.errors)
    times = (counts.p50_ms, counts.p99_ms, counts.max_ms)
    return [*map(str, whole), *(f"{time_ms:.0f}" for time_ms in times)]


def _line(first: str, others: tuple[str, ...] | list[str]) -> str:
    return f"{first:<42}" + "".join(f"{other:>9}" for other in others)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
