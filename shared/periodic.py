"""Background work: a function that is called again and again."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("plano.background")


class Periodic:
    """Calls a function at once and then every so many seconds, in a thread of its own, until it is stopped.

    A call that raises is logged and ends nothing.
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
        while not self._stopped.is_set():
            try:
                self._run()
            except Exception:
                log.exception("a round of %s failed", self._name)
            self._stopped.wait(self._every_s)
