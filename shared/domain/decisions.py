"""What a client wants routed, and the decision about it."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from shared.domain.catalog import Model
from shared.domain.pins import Pin
from shared.domain.routes import Route
from shared.domain.sessions import Session


class Trace(msgspec.Struct, frozen=True):
    """The ids that tie a request to its traces, as in W3C Trace Context."""

    request_id: str
    traceparent: str

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.traceparent[3:35]


class Turn(Protocol):
    """What a request's body says that its session's pin depends on."""

    @property
    def is_bound(self) -> bool:
        """Whether the conversation holds reasoning that only the model that made it can read."""

    @property
    def length(self) -> int:
        """How many turns the conversation has."""

    @property
    def is_in_tool_loop(self) -> bool:
        """Whether the last turn is a tool's result."""

    @property
    def is_users(self) -> bool:
        """Whether the user has spoken last, and no tool with it."""

    @property
    def tokens(self) -> int:
        """About how many tokens the request has."""

    @property
    def retention(self) -> str | None:
        """How long the provider shall keep its cache: `1h`, `24h` or None."""

    @property
    def generation(self) -> str | None:
        """Which of its agent's contexts it belongs to, if the agent counts them."""

    def is_compacted(self, before: str | None) -> bool:
        """Whether the agent has compacted its context since the generation `before`."""

    def is_readable_by(self, model: Model) -> bool:
        """Whether the reasoning is of the kind that the model's provider makes."""


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for which a model is to be chosen."""

    model: Model
    """The request's own model: what serves it when no route fits or something is away."""
    session: Session | None
    routes: tuple[Route, ...]
    inline: bool
    """Whether the routes came with the request."""
    messages: bytes | msgspec.Raw
    """The conversation as the client wrote it: one JSON array, not yet decoded."""
    trace: Trace
    conversation_field: str = "messages"
    """What the client calls its conversation."""
    allowed: frozenset[str] | None = None
    """The models that the client's key covers, by qualified name; None: all."""
    fitting: "Callable[[RouteRequest], RouteRequest] | None" = None
    """Leaves out the models that cannot take the request; raises BadRequest when none can. None: all can."""
    client: Callable[[], str] = str
    """Who sends it: the name of the client's key, else the client's address. Only a new session needs it."""
    turn: Turn | None = None
    """What the body says besides; None: nothing that a pin depends on."""
    windows: "Callable[[str], int] | None" = None
    """For how many seconds the prompt cache of a model, by its qualified name, would outlive this request."""
    budget_percent: float | None = None
    """How much of its session's savings this request may spend on another model; None: what the config says."""
    anew: bool = False
    """Whether the client wants another decision than the one that its session is pinned by."""

    @property
    def is_bound(self) -> bool:
        """Whether its conversation holds reasoning that only the model that made it can read."""
        return self.turn is not None and self.turn.is_bound


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Which model answers, and which follow when it fails."""

    models: tuple[str, ...]
    """Qualified names, the first one to use first; never empty."""
    route: str | None = None
    pinned: bool = False
    """True exactly when a pin that stood already decided."""
    pin: Pin | None = None
    """The session's pin as it stands now; None without a session, or when nothing could be pinned."""
    alone: bool = False
    """Whether no other model may answer in its place: an operator holds it there, or it is about a response."""
    degraded: str | None = None
    """The part of the pool that was away: redis, router or queue."""
    crossed: bool = False
    """Whether the conversation holds reasoning that this model has not made and cannot read."""
    redecided: str | None = None
    """Why a session that had a pin has another: `asked` (by its client), `cold`, `compacted`, `budget`, `drained`."""
    left: str | None = None
    """The model that such a session has left, if its prompt cache may have been warm."""
    adopted: bool = False
    """Whether the pin that decided was found only when a new one was to be made."""
    facts: Mapping[str, str | float] | None = None
    """What a new decision was made by: the router's milliseconds and the figures of the first candidates."""
