"""Background work: a function that is called again and again."""

import logging
import math
import threading
import time
from collections.abc import Callable

log = logging.getLogger("plano.background")

LOG_EVERY_S = 60.0
"""How often the log may say that a round has failed."""


class Periodic:
    """Calls a function at once and then every so many seconds, in a thread of its own, until it is stopped.

    A call that raises is logged, once a minute at most, and ends nothing.
    """

    def __init__(self, every_s: float, run: Callable[[], object], name: str) -> None:
        self._every_s = every_s
        self._run = run
        self._name = name
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin; in a server only after it has forked, since a fork has no threads but its own."""
        threading.Thread(target=self._rounds, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End after the call that runs now."""
        self._stopped.set()

    def _rounds(self) -> None:
        repeat(self._every_s, self._run, self._name, self._stopped)


def repeat(every_s: float, run: Callable[[], object], name: str, stopped: threading.Event) -> None:
    """What a Periodic does, in the caller's own thread: return when the event is set."""
    logged_at, unsaid = -math.inf, 0
    while not stopped.is_set():
        try:
            run()
        except Exception:
            if time.monotonic() - logged_at >= LOG_EVERY_S:
                log.exception(
                    "a round of %s failed%s", name, f"; {unsaid} more since the last line" if unsaid else ""
                )
                logged_at, unsaid = time.monotonic(), 0
            else:
                unsaid += 1
        stopped.wait(every_s)
