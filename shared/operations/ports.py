"""The stores that an operator's questions and changes need; every method may raise StoreDown."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.domain.availability.cooldowns import Cooldown
from shared.domain.availability.drains import Drain
from shared.domain.pins import Held, Pin
from shared.domain.pool_stats import Sums
from shared.domain.ranking import Snapshot
from shared.domain.session_records import Event, Order, Record
from shared.domain.sessions import Session


class Pins(Protocol):
    """Keeps pins under their keys."""

    def page(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[Held]]:
        """The pins among about `count` keys, from the cursor on; and the next cursor, 0 at the end."""

    def peek(self, key: bytes) -> Held | None:
        """What stands under a key, or None."""

    def under(self, names: Sequence[bytes]) -> list[Held]:
        """What stands under those of the keys that are there."""

    def put(self, key: bytes, pin: Pin, ttl_s: int) -> None:
        """Put a pin there, in place of whatever stands there."""

    def replace(self, key: bytes, seen: Pin, to: Pin) -> bool:
        """Put a pin in the place of the seen one, if its model still stands there; its ttl stays."""

    def remove(self, key: bytes) -> bool:
        """Remove whatever stands there; return whether there was something."""


class Minutes(Protocol):
    """Keeps what the pool did in each minute."""

    def read(self, minutes: Sequence[int]) -> dict[int, Sums]:
        """What happened in those of the minutes in which anything did."""


class Records(Protocol):
    """Keeps what has become of sessions."""

    def known(self, sessions: Sequence[Session]) -> list[Record | None]:
        """The sums of each of the sessions."""

    def events(self, session: Session) -> list[Event]:
        """What has happened to a session, the oldest first."""

    def note(self, session: Session, event: Event, pin_ttl_s: int = 0) -> None:
        """Add an event of an operator, who has left the session a pin that lives for so long; 0: none."""

    def top(self, order: Order, offset: int = 0, count: int = 100) -> list[tuple[Session, Record]]:
        """The sessions that come first in an order."""

    def walk(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[tuple[Session, Record]]]:
        """The sessions among about `count` keys, from the cursor on; and the next cursor, 0 at the end."""


class Heartbeats(Protocol):
    """Knows the replicas."""

    def known(self) -> Mapping[str, tuple[Mapping[str, str], float]]:
        """The facts of each replica that lives, and how old its heartbeat is, in seconds."""


class Metrics(Protocol):
    """Knows the prices and latencies of the models."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Cooldowns(Protocol):
    """Knows which models have failed."""

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """What is known of those that have failed."""


class Drains(Protocol):
    """Keeps which models are drained."""

    def known(self, models: Sequence[str]) -> dict[str, Drain]:
        """The drains of those models that are drained."""

    def begin(self, model: str, drain: Drain) -> None:
        """Drain a model; a drain that stands is replaced."""

    def end(self, model: str) -> bool:
        """End the drain of a model; return whether there was one."""
