"""Whether others have their turn while something is done that never has to wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent


@contextmanager
def turns_of_others() -> Iterator[Callable[[], int]]:
    """How often another greenlet has run so far."""
    turns = 0

    def run() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    other = gevent.spawn(run)
    try:
        yield lambda: turns
    finally:
        other.kill()
