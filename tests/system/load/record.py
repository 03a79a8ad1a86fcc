"""What the clients' process is told, and what it tells: JSON between two processes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the clients do.

    In each round there are so many new sessions, all at once. Each has `at_once` clients, and each client asks
    `turns` times, one time after the other.
    """

    name: str
    ports: list[int]
    """A client asks them in turn; each client begins with another one."""
    sessions: int
    at_once: int
    turns: int
    rounds: int
    give_up_s: float
    """How long a request is waited for, to its last byte."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One request, and what came of it."""

    session: str
    number: int
    """0 for a first request."""
    took_ms: float
    hung: bool = False
    """Whether it was given up."""
    model: str | None = None
    """The model that answered, in the provider's words; None: nobody answered properly."""
    pinned: bool = False
    degraded: str | None = None
    fault: str = ""
    """What was wrong with the answer."""
