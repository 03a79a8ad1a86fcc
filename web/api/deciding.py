"""The decision for a request, within a limit that holds whatever goes wrong."""

import time

import gevent

from shared.domain.decisions import Decision, RouteRequest
from shared.errors import Overdue, Unavailable
from web.ops import metrics
from web.services import Services

_SPARE_S = 0.5
"""What a decision may take beyond its own limit, to read the pin before it and after it."""


def decide(services: Services, asked: RouteRequest) -> Decision:
    """Which model answers; raises what `Affinity.resolve` raises.

    Every wait in `resolve` has a limit of its own. The outer limit is for the case that one of them does not hold.
    Then the place is logged as an error, and the request's own model answers.
    """
    limit_s = services.config.routing.decision_timeout_ms / 1000 + _SPARE_S
    began = time.monotonic()
    with gevent.Timeout(limit_s, Overdue(f"no decision within {limit_s:.1f} s")):
        try:
            decision = services.affinity.resolve(asked)
        except Unavailable:
            services.stats.refused()
            raise
    took_s = time.monotonic() - began
    if not decision.pinned:
        metrics.waited(took_s)
    services.stats.decided(decision, took_s)
    services.records.decided(asked, decision)
    return decision
