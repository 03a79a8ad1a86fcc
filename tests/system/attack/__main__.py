"""`python -m tests.system.attack [ATTACK…]`: a line for each; 1 when one of them hurt somebody."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.system.attack.attacker import ATTACKS
from tests.system.attack.run import Report, run
from tests.system.load.counts import examples

HEALTH_S, MEMORY_MB, P99_RATIO = 1.0, 400, 2.0
_COLUMNS = ("requests", "wrong", "p99 before", "p99 ms", "ratio", "health s", "MB")


def main() -> int:
    """Run each attack alone and all of them at once, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.attack", description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="attack", help=f"of {', '.join(ATTACKS)}; all without one")
    chosen = parser.parse_args().attacks
    unknown = set(chosen) - set(ATTACKS)
    if unknown:
        parser.error(f"not an attack: {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="plano-attack-"))
    _say(_line("attack", _COLUMNS))
    hurt = False
    for name, attacks in _rounds(chosen).items():
        (folder / name).mkdir()
        report = run(attacks, folder / name)
        hurt |= _reported(name, report)
    if hurt:
        _say(f"logs in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _rounds(chosen: list[str]) -> dict[str, tuple[str, ...]]:
    alone: dict[str, tuple[str, ...]] = {name: (name,) for name in chosen or ATTACKS}
    return alone if len(chosen) == 1 else {**alone, "all_at_once": tuple(alone)}


def _reported(name: str, report: Report) -> bool:
    before, beside = report.before, report.beside
    wrong = sum((beside.hung, beside.split, beside.degraded, beside.unpinned, beside.errors))
    times = (f"{before.p99_ms:.0f}", f"{beside.p99_ms:.0f}", f"{report.p99_ratio:.2f}", f"{report.health_max_s:.2f}")
    _say(_line(name, (str(beside.requests), str(wrong), *times, f"{report.memory_mb:.0f}")))
    for line in examples(report.turns):
        _say(f"    {line}")
    slow = report.p99_ratio > P99_RATIO or report.health_max_s > HEALTH_S
    return bool(wrong) or slow or report.memory_mb > MEMORY_MB


def _line(first: str, others: tuple[str, ...]) -> str:
    return f"{first:<16}" + "".join(f"{other:>12}" for other in others)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
