"""What a request makes of the pin of its session, and whether another model can read what the session holds."""

import time

import msgspec

from shared.domain.decisions import RouteRequest
from shared.domain.pins import UNKNOWN_TURNS, Pin, used
from shared.routing.ports import Policy


def moved(request: RouteRequest, pin: Pin, model: str, why: str) -> Pin:
    """The session's pin once the session has moved to another model, and why it has."""
    bound = request.turn if request.is_bound else None
    return msgspec.structs.replace(
        used(pin, time.time()),
        model_name=model,
        ttl_s=request.windows(model) if request.windows and pin.ttl_s else pin.ttl_s,
        foreign_turns=bound.length if bound else pin.foreign_turns,
        left=pin.model_name,
        why=why,
    )


def fitted(request: RouteRequest, pin: Pin) -> Pin:
    """The pin as this request needs it; mostly the very pin.

    It lives as long as the cache that the request asks for, if that is longer. After an operator has moved the
    session it says how long the conversation was then.
    """
    if pin.foreign_turns == UNKNOWN_TURNS:
        turns = request.turn.length if request.turn and request.turn.is_bound else 0
        pin = msgspec.structs.replace(pin, foreign_turns=turns)
    if pin.ttl_s is None or request.windows is None:
        return pin
    window_s = request.windows(pin.model_name)
    return pin if window_s <= pin.ttl_s else msgspec.structs.replace(pin, ttl_s=window_s)


def crosses(request: RouteRequest, model_name: str, seen: Pin | None) -> bool:
    """Whether the request's reasoning was made by another model, as far as is known.

    Without a pin the request's own model is taken for the one that made it, if it is of its provider's kind.
    """
    if request.turn is None or not request.turn.is_bound:
        return False
    if seen:
        return model_name != seen.model_name
    return model_name != request.model.name or not request.turn.is_readable_by(request.model)


def end_of(policy: Policy) -> int | None:
    """When a pin that is made now ends for good; None when use can renew it without end."""
    return int(time.time()) + policy.session_max_age_s if policy.session_max_age_s else None


def use_of(policy: Policy) -> int | None:
    """What a pin that is made now says of its last use; None where nobody asks for it."""
    return int(time.time()) if policy.redecides else None


def ttls_of(policy: Policy, request: RouteRequest, own: str) -> dict[str, int]:
    """How long a pin to each model would live, where that is as long as the model's prompt cache.

    `own` is the model that serves where no route does.
    """
    session = request.session
    if session is None or request.windows is None or not (policy.ttl_of_cache or session.is_implicit):
        return {}
    models = (request.model.name, own, *(name for route in request.routes for name in route.models))
    return {name: request.windows(name) for name in models}
