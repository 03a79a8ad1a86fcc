"""Looks for inputs that break a property, for as long as it may: `python -m tests.fuzz --seconds 60 [target …]`."""

import argparse
import itertools
import random
import signal
import sys
import time
import traceback

from tests.fuzz.catalog import TARGETS
from tests.fuzz.target import Target

BATCH = 200
"""Inputs for one seed."""


def main() -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"one of {', '.join(TARGETS)}; all without one")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look; 60 without it")
    parser.add_argument("--seed", type=int, help="try the inputs of this seed only, to see a find again")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"not a target: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the pool ends too
    targets = [TARGETS[name] for name in arguments.targets or TARGETS]
    if arguments.seed is not None:
        return sum(_breaks(target, arguments.seed) for target in targets)
    return _look(targets, arguments.seconds)


def _look(targets: list[Target], seconds: float) -> int:
    """Give each target its turn until the time is over, or something is found."""
    end = time.monotonic() + seconds
    batches = 0
    for target in itertools.cycle(targets):
        if time.monotonic() >= end:
            break
        if _breaks(target, random.randrange(2**32)):
            return 1
        batches += 1
    sys.stdout.write(f"{batches * BATCH} inputs in {seconds:g} s, nothing found\n")
    return 0


def _breaks(target: Target, seed: int) -> bool:
    """Whether an input of the seed breaks the target; it is then shown, as small as it can be."""
    try:
        target.tried(BATCH, seed)
    except Exception:  # noqa: BLE001 - whatever it is, it is the find
        traceback.print_exc()
        sys.stderr.write(
            f"\n{target.name}: {target.promise}\nnot so; again: python -m tests.fuzz {target.name} --seed {seed}\n"
        )
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
