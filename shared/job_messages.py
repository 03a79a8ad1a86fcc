"""The messages between web and workers: the names of jobs, and the values that travel through the queue."""

import msgspec

from shared.domain.conversation import Message
from shared.domain.money.switching import Budget
from shared.domain.pins import Pin, candidates
from shared.domain.routes import Route
from shared.domain.sessions import Session

DECIDE = "workers.jobs.decide"
"""The job that asks the router, ranks and settles: takes a DecisionRequest, announces a DecisionResult."""

REFRESH_METRICS = "workers.jobs.refresh_metrics"
"""The job that renews one kind of the snapshot: takes `cost` or `latency`; the worker's config names the source."""


class DecisionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker needs for one decision. It carries the routes, so that the asking replica's config counts."""

    model_name: str
    """The request's own model, for when no route fits."""
    session: Session | None
    ttl_s: int
    """How long the pin will live, in seconds."""
    ttls: dict[str, int] = {}
    """… to each model, where a pin lives as long as its model's prompt cache; it is renewed by use, then."""
    until: int | None = None
    """When the pin will end for good, in seconds since the epoch, however often it is used."""
    routes: tuple[Route, ...]
    inline: bool
    messages: tuple[Message, ...]
    request_id: str
    traceparent: str
    seen: Pin | None = None
    """The pin that the decision replaces, unless another one has done so by then; None: the session has no pin."""
    used_at: int | None = None
    """What the pin says of its last use; None: it says nothing of it."""
    generation: str | None = None
    """Which of its agent's contexts the pin is made for."""
    why: str | None = None
    """Why the session leaves the `seen` pin."""
    budget: Budget | None = None
    """What the session may spend to be given another model than the `seen` one; None: it may cost what it will."""
    foreign_turns: int = 0
    """In how many turns of the conversation is reasoning that only the model that made it can read."""
    reply_to: str = ""
    """The channel on which the asking process hears the result."""


class DecisionResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a request: the ranked models, or why there is no decision."""

    models: tuple[str, ...] = ()
    """Best first; empty when there is a fault."""
    route: str | None = None
    pinned: bool = False
    """Whether a pin that stood before decided."""
    pin: Pin | None = None
    """The session's pin as it stands now."""
    facts: dict[str, str | float] = {}
    """What it was made by: `figures_of` in ranking.py, and the router's milliseconds."""
    fault: str | None = None
    """The part of the pool that was away: redis or router. None: there is a decision."""


def adopted(pin: Pin, request: DecisionRequest) -> DecisionResult:
    """The result of a request whose session is pinned already: the pin decides."""
    return DecisionResult(models=candidates(pin, request.routes), route=pin.route_name, pinned=True, pin=pin)


class Announcement(msgspec.Struct, frozen=True):
    """What a worker announces to the process that asked."""

    job_id: str
    result: DecisionResult
