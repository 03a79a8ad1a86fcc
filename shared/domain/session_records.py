"""What is kept of a session for operators: its sums, and the events that explain which model serves it."""

import enum

import msgspec


class What(enum.StrEnum):
    """What can happen to a session."""

    DECIDED = "decided"
    """It had no pin, and was given one."""
    ADOPTED = "adopted"
    """A pin stood that another replica has made."""
    MOVED = "moved"
    """Its model failed, and it stays with the one that answered."""
    BORROWED = "borrowed"
    """Another model answered once; the pin has stayed."""
    REDECIDED = "redecided"
    """It had a pin, and was decided anew."""
    DEGRADED = "degraded"
    """A part of the pool was away, and the request's own model answered once."""
    EDITED = "edited"
    """An operator has changed its pin."""


LASTING = frozenset({What.DECIDED, What.ADOPTED, What.MOVED, What.REDECIDED, What.EDITED})
"""The events after which the session is served by their model; the others are about one request."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a session."""

    at: float
    """In seconds since the epoch."""
    what: What
    model: str
    """The model that serves from then on, or has served this once; empty when an operator has removed the pin."""
    left: str | None = None
    """The model that served before, if it is known."""
    why: str = ""
    """Such as 503, timeout, cooling, cold, compacted, budget, asked, drained, redis, router, queue, pin, unpin."""
    route: str | None = None
    replica: str = ""
    """The id of the web process's heartbeat, or the end of it."""
    who: str = ""
    """The operator."""
    facts: dict[str, str | float] = {}
    """The router's milliseconds and the figures of the candidates that came first: `figures_of` in ranking.py.

    `dropped` is `reasoning` when the model was sent the conversation without that of others; an operator's `reason`.
    """


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of a session."""

    first_used: float
    last_used: float
    """In seconds since the epoch."""
    model: str
    """The one that has served it last by its pin, or in its pin's place; empty: it has none yet."""
    route: str | None = None
    client: str = ""
    """Who began it: the name of the client's key, else the client's address."""
    turns: int = 0
    input: int = 0
    """Tokens that were read anew, those that were written to a cache among them."""
    cached: int = 0
    output: int = 0
    moves: int = 0
    """How often it was given another model."""
    cost_usd: float = 0.0
    kept_usd: float = 0.0


class Order(enum.StrEnum):
    """What sessions can be listed by, the most first."""

    LAST_USE = "last_use"
    COST = "cost"
    KEPT = "kept"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What one process adds to a record at once."""

    at: float
    """When the session was used last, in seconds since the epoch."""
    model: str = ""
    """The model that has served it last by its pin, or in its pin's place; empty: none has."""
    route: str | None = None
    client: str = ""
    pin_ttl_s: int = 0
    """How long its pin lives from now on, where that is its own matter; nothing shortens what is kept of it."""
    turns: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    moves: int = 0
    cost_usd: float = 0.0
    kept_usd: float = 0.0
    events: tuple[Event, ...] = ()
