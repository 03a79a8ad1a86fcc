"""What web and workers say to each other: the names of jobs and the values that travel through the queue."""

import msgspec

from shared.domain.conversation import Message
from shared.domain.pins import Pin, candidates
from shared.domain.routes import Route
from shared.domain.sessions import Session

DECIDE = "workers.jobs.decide"
"""The job that asks the router, ranks and settles: takes an Order, announces a Verdict."""

REFRESH_METRICS = "workers.jobs.refresh_metrics"
"""The job that renews one kind of the snapshot: takes `cost` or `latency`; the worker's config names the source."""

BUILD_DECIDER = "workers.decide:build"
"""How a process without a queue gets the decider that a worker runs."""

BUILD_METRICS = "workers.metrics.local:build"
"""How a process without Redis gets a snapshot that it refreshes itself."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """All a worker needs for one decision; the routes travel along, so the asking replica's config decides."""

    model_name: str
    """The request's own model, for when no route fits."""
    session: Session | None
    ttl_s: int
    """How long the pin will live, in seconds."""
    until: int | None = None
    """When it will end for good, however it is used."""
    routes: tuple[Route, ...]
    inline: bool
    messages: tuple[Message, ...]
    request_id: str
    traceparent: str
    reply_to: str = ""
    """The channel on which the asking process hears what came of it."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an order."""

    models: tuple[str, ...] = ()
    """Ranked; empty when the router failed."""
    route: str | None = None
    pinned: bool = False
    """A pin that stood before this order decided."""
    pin: Pin | None = None
    """What stands for the session now."""
    fault: str | None = None
    """Why there is no decision."""


def adopted(pin: Pin, order: Order) -> Verdict:
    """What comes of an order when a pin stands already: it decides."""
    return Verdict(models=candidates(pin, order.routes), route=pin.route_name, pinned=True, pin=pin)


class Announcement(msgspec.Struct, frozen=True):
    """What a worker announces to the process that asked."""

    job_id: str
    result: Verdict
