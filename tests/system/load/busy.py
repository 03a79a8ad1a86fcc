"""A process that only takes a core's time, until whoever started it is gone: `python -m tests.system.load.busy`."""

import os


def main() -> None:
    """Count for ever."""
    parent = os.getppid()
    while os.getppid() == parent:
        for _ in range(1_000_000):
            pass


if __name__ == "__main__":
    main()
