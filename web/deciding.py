"""The decision for a request, within a limit that holds whatever goes wrong."""

import gevent

from shared.domain.decisions import Decision
from shared.errors import Overdue
from web.services import services
from web.wire import Call

_SPARE_S = 0.5
"""What a decision may take beyond its own limit: reading the pin before, and again after it."""


def decision(asked: Call) -> Decision:
    """Which model answers; raises what `Affinity.resolve` raises.

    Every wait in it has a limit of its own. The outer one is for the case that one of them does not hold; it is
    logged as an error with the place, and the request's own model answers.
    """
    parts = services()
    limit_s = parts.config.routing.decision_timeout_ms / 1000 + _SPARE_S
    with gevent.Timeout(limit_s, Overdue(f"no decision within {limit_s:.1f} s")):
        return parts.affinity.resolve(asked.question)
