"""Values in Redis that are not what they should be: each is counted, and the log says so once a minute."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("plano.redis")

LOG_EVERY_S = 60.0
_SHOWN_CHARS = 256


class Unreadable:
    """Notes each value that cannot be read. Whoever finds one treats it as absent."""

    def __init__(
        self, count: Callable[[str], object] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`count` is called with the kind of each value, such as `affinity` or `job`."""
        self._count = count
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet_until: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def note(self, key: str, why: object) -> None:
        """Count a value, and log its key unless a line about a value of its kind is less than a minute old."""
        kind = _kind(key)
        if self._count:
            self._count(kind)
        with self._lock:
            now, unsaid = self._clock(), self._unsaid.get(kind, 0)
            quiet = now < self._quiet_until.get(kind, now)
            self._unsaid[kind] = unsaid + 1 if quiet else 0
            if not quiet:
                self._quiet_until[kind] = now + LOG_EVERY_S
        if not quiet:
            more = f"; {unsaid} more like it since the last line" if unsaid else ""
            log.warning("a value that cannot be used counts as absent: %s (%s)%s", _shown(key), _shown(why), more)


def _kind(key: str) -> str:
    """The second word of a key: `affinity` of `plano:affinity:demo`."""
    return key.split(":", 2)[1] if ":" in key else key


def _shown(text: object) -> str:
    """At most 256 characters, all of them printable ASCII."""
    return str(text)[:_SHOWN_CHARS].encode("unicode_escape").decode()
