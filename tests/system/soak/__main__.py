"""`python -m tests.system.soak --seconds 600`: what came of it; 1 when something is held that should not be."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.system.soak.run import run

SLOPE_MB_AN_HOUR = 5.0


def main() -> int:
    """Soak, and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long clients come  [%(default)s]")
    folder = Path(tempfile.mkdtemp(prefix="plano-soak-"))
    report = run(folder, parser.parse_args().seconds)
    counts = ", ".join(f"{count} {name}" for name, count in sorted(report.outcomes.items()))
    lines = [f"{report.turns} turns: {counts}"]
    lines += [f"{name}: {slope:+.1f} MB an hour" for name, slope in report.slopes_mb_an_hour.items()]
    sys.stdout.write("\n".join([*lines, *report.faults, f"logs in {folder}", ""]))
    grows = any(slope > SLOPE_MB_AN_HOUR for slope in report.slopes_mb_an_hour.values())
    return 1 if grows or report.faults or report.outcomes["hung"] or report.outcomes["500"] else 0


if __name__ == "__main__":
    sys.exit(main())
