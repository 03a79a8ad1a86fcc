"""What a decision needs: stores, workers, counters, and what the operator chose."""

from typing import Protocol

import msgspec

from shared.domain.decisions import Decision
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.job_messages import DecisionRequest, DecisionResult


class Pins(Protocol):
    """Keeps pins; every method may raise StoreDown."""

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""

    def settle(self, session: Session, pin: Pin, ttl_s: int, seen: Pin | None = None) -> Pin:
        """Pin the session unless it is pinned already, to another model than the `seen` one; return what stands."""

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards."""

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""


class Decisions(Protocol):
    """Has decisions made."""

    def ask(self, request: DecisionRequest, budget_s: float) -> DecisionResult:
        """The result of a request, which may take `budget_s` seconds; raises Away."""

    def workers(self) -> int:
        """How many processes decide; raises Away."""

    def waiting(self) -> int:
        """How many jobs nobody has begun; raises Away."""


class Recorder(Protocol):
    """Counts what happens."""

    def decided(self, decision: Decision) -> None:
        """Count a decision."""

    def degraded(self, part: str) -> None:
        """Count a request for which a part of the pool was away."""


class SessionLimit(Protocol):
    """Limits how many sessions a client may begin."""

    def admit(self, client: str) -> None:
        """Count a session that is about to be pinned; raises TooManySessions, or StoreDown."""

    def give_back(self, client: str) -> None:
        """Count one less: it could not be pinned, and will be counted when it comes again."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long pins live, how long decisions may take, and what to do when something is away."""

    session_ttl_s: int
    session_max_age_s: int | None = None
    ttl_of_cache: bool = False
    """Whether a pin lives as long as its model's prompt cache, and is renewed by use."""
    redecides: bool = False
    """Whether a session is decided anew when its cache has ended or its context was compacted."""
    budget_percent: float | None = None
    """How much of its savings a session may spend on another model; None: a pin is strict."""
    user_turns_only: bool = False
    """Whether only turns of the user's are routed."""
    decision_budget_s: float
    reject_on_outage: bool
