"""When a session that has a pin is decided anew of itself."""

import time

from shared.domain.caching.windows import HOUR
from shared.domain.decisions import RouteRequest
from shared.domain.money.switching import Budget
from shared.domain.pins import Pin
from shared.routing.ports import Policy

WARM = frozenset({"asked", "budget"})
"""Why a session may be decided anew while its prompt cache is warm."""


def why_anew(request: RouteRequest, pin: Pin | None, policy: Policy) -> str | None:
    """Why it is decided anew, whatever it costs: its cache is of no use any more. None: it stays."""
    turn = request.turn
    if pin is None or pin.used_at is None or not (policy.redecides and turn and request.windows):
        return None
    compacted = turn.is_compacted(pin.generation)
    cold = time.time() - pin.used_at > request.windows(pin.model_name)
    if not (compacted or cold) or turn.is_in_tool_loop or turn.is_bound:
        return None
    return "compacted" if compacted else "cold"


def budget_of(request: RouteRequest, pin: Pin | None, policy: Policy) -> Budget | None:
    """What the session may spend to be given another model on this turn; None when it may not be."""
    turn, percent = request.turn, policy.budget_percent
    if percent is None or pin is None or turn is None or request.windows is None or not request.routes:
        return None
    percent = percent if request.budget_percent is None else request.budget_percent
    if percent <= 0 or not turn.is_users or turn.is_bound:
        return None
    models = {pin.model_name, *(name for route in request.routes for name in route.models)}
    windows = {name: request.windows(name) for name in models}
    return Budget(percent=percent, tokens=turn.tokens, for_an_hour=turn.retention == HOUR, windows=windows)
