"""Watches the pool's own promise: no session is served by two models without an event that explains it."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.domain.session_records import Event
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.log_fields import fields
from web.ops.pool.stats import PoolStats
from web.ops.sessions.switch_explanations import Switch, explained, recovered

log = logging.getLogger("plano.events")

LOOK_AFTER_S = 2.0
"""An event of another replica may come a second late."""
MOST_WAITING = 1000
_AT_ONCE = 100


class Timelines(Protocol):
    """Knows what has happened to sessions; every method may raise StoreDown."""

    def events(self, session: Session) -> Sequence[Event]:
        """The newest events of a session, the oldest of them first."""

    def began(self) -> float:
        """Since when it knows anything, in seconds since the epoch."""

    def note(self, session: Session, event: Event) -> None:
        """Note an event."""


class Metrics(Protocol):
    """Counts what must not happen."""

    def unexplained_switch(self) -> None:
        """A session was served by another model, and nothing says why."""


class SwitchWatch:
    """Looks for the events of switches that nothing in their own process explains."""

    def __init__(
        self,
        timelines: Timelines | None,
        metrics: Metrics,
        stats: PoolStats,
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ttl_s` is how long a pin lives."""
        self._timelines = timelines
        self._metrics = metrics
        self._stats = stats
        self._ttl_s = ttl_s
        self._clock = clock
        self._waiting: deque[tuple[float, Switch]] = deque(maxlen=MOST_WAITING)
        self._not_before = 0.0

    def note(self, switch: Switch) -> None:
        """Look at a switch in two seconds. Where too many wait, sessions that are new here give way."""
        if len(self._waiting) >= MOST_WAITING and not switch.left:
            return
        self._waiting.append((self._clock() + LOOK_AFTER_S, switch))

    def look(self) -> None:
        """Look at those that are due, a hundred at most; while Redis is away they wait, and two seconds after it.

        Other replicas write then what Redis has not taken.
        """
        try:
            for _ in range(_AT_ONCE):
                now = self._clock()
                if not (self._timelines and self._waiting and max(self._waiting[0][0], self._not_before) <= now):
                    return
                self._judge(self._timelines, self._waiting[0][1])
                self._waiting.popleft()
        except StoreDown as error:
            self._not_before = self._clock() + LOOK_AFTER_S
            log.debug("switches are not looked at: %s", error)

    def _judge(self, timelines: Timelines, switch: Switch) -> None:
        events = timelines.events(switch.session)
        if explained(switch, events):
            return
        ttl_s = (switch.pin.ttl_s if switch.pin else None) or self._ttl_s
        lost = recovered(switch, events, ttl_s, timelines.began())
        if lost:
            timelines.note(switch.session, lost)
            return
        self._metrics.unexplained_switch()
        self._stats.unexplained()
        session = switch.session
        log.warning(
            "unexplained switch",
            extra=fields(session=session.id, tenant=session.tenant, **{"from": switch.left}, to=switch.to),
        )
