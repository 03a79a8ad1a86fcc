"""A circuit breaker: while Redis is known to be away, no request asks it."""

import logging
import math
import threading
import time
from collections.abc import Callable

import redis

log = logging.getLogger("plano.redis")

FAILURES_TO_OPEN = 2
DEMOTED_EVERY_S = 1.0
LOG_EVERY_S = 60.0
READONLY = "READONLY"
NOPERM = "NOPERM"
REFUSALS = (READONLY, "OOM", NOPERM, "MISCONF", "NOREPLICAS")
"""How the answers of a Redis begin, within a script or not, that does not take a write; Redis 7.4 and before."""

_SHOWN_CHARS = 160


class CircuitOpen(redis.ConnectionError):
    """Redis is known to be away; it was not asked."""


class Breaker:
    """Knows whether one Redis is away.

    It opens when the failure detector says that Redis is silent, or when two connections in a row were refused or
    closed. It closes when the failure detector has an answer again. Each change is logged once.
    """

    def __init__(self, name: str) -> None:
        """`name` says in the log which Redis this is."""
        self.is_open = False
        self.answers = 0
        """How many answers Redis has given."""
        self.refuses = ""
        """Why Redis refused a write last, such as `OOM`; empty when it has taken one since."""
        self._name = name
        self._failures = 0
        self._on_open: list[Callable[[], object]] = []
        self._on_demoted: list[Callable[[], object]] = []
        self._demoted_at = self._noperm_at = -math.inf
        self._told = False
        self._lock = threading.Lock()

    def on_open(self, call: Callable[[], object]) -> None:
        """Have a function called each time the breaker opens; it must not wait for anything."""
        self._on_open.append(call)

    def on_demoted(self, call: Callable[[], object]) -> None:
        """Have a function called when this Redis refuses a write as a replica; it must not wait for anything."""
        self._on_demoted.append(call)

    def refused(self, error: Exception) -> None:
        """Note what Redis answered. When it is a refusal to write, the log says so once.

        A replica refuses: another Redis may be the primary now. So all connections are made anew, once a second at
        most.
        """
        said = f"{getattr(error, 'status_code', None) or ''} {error}".strip()
        why = next((code for code in REFUSALS if code in said), "")
        if not why:
            return
        now = time.monotonic()
        if why != self.refuses:
            self.refuses = why
            # Who may not do one thing may write all the same, and would be refused again and again.
            self._told = why != NOPERM or now - self._noperm_at >= LOG_EVERY_S
            if self._told:
                self._noperm_at = now if why == NOPERM else self._noperm_at
                log.warning("%s refuses writes: %s (%s)", self._name, why, str(error)[:_SHOWN_CHARS])
        if why == READONLY and now - self._demoted_at >= DEMOTED_EVERY_S:
            self._demoted_at = now
            for call in self._on_demoted:
                call()

    def wrote(self) -> None:
        """Note that Redis has taken a write."""
        if self.refuses:
            self.refuses = ""
            if self._told:
                log.warning("%s takes writes again", self._name)

    def succeeded(self) -> None:
        """Note an answer of Redis."""
        self.answers += 1
        self._failures = 0

    def failed(self, error: Exception) -> None:
        """Note that a connection was refused or closed."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self.open(type(error).__name__)

    def open(self, why: str) -> None:
        """Open: wake whoever waits for Redis."""
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
        log.warning("%s is away: %s", self._name, why)
        for call in self._on_open:
            call()

    def close(self) -> None:
        """Close: Redis answers again."""
        self._failures = 0
        with self._lock:
            if not self.is_open:
                return
            self.is_open = False
        log.warning("%s is back", self._name)
