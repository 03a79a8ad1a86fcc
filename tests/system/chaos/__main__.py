"""`python -m tests.system.chaos --seconds 600 --seed 7`."""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.system import balancers
from tests.system.chaos.run import run


def main() -> int:
    """Run once; 1 when something is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of load and faults (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="a schedule's")
    parser.add_argument("--balancer", choices=balancers.NAMES, default="stand-in", help="  [%(default)s]")
    asked = parser.parse_args()
    if not balancers.program(asked.balancer):
        sys.exit(f"{asked.balancer} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="plano-chaos-"))
    sys.stdout.write(f"seed {asked.seed}, {asked.seconds:g} s, logs in {folder}\n")
    sys.stdout.flush()
    report = run(folder, asked.balancer, seed=asked.seed, seconds=asked.seconds)
    sys.stdout.write(f"{report}\n")
    if report.violations:
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
