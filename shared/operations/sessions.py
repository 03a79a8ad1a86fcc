"""Sessions, as an operator sees and changes them."""

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from shared.domain.catalog import Catalog
from shared.domain.pins import Held, Pin
from shared.domain.records import Event, Order, Record, What
from shared.domain.sessions import Session
from shared.errors import NoPin, NoSession
from shared.operations.operator import Operator
from shared.store import keys

AT_ONCE = 100
"""So many sessions are looked at in one round trip."""
MOST_LOOKS = 20
"""How many round trips one page of a search takes at most; a page may be empty, and the search still go on."""


class Pins(Protocol):
    """Keeps pins under their keys; every method may raise StoreDown."""

    def page(self, cursor: int, count: int) -> tuple[int, list[Held]]:
        """About `count` pins, from the cursor on; and the next cursor, 0 at the end."""

    def held(self, keys: Sequence[bytes]) -> list[Held]:
        """What stands under those keys that are there, in their order."""

    def put(self, key: bytes, pin: Pin, ttl_s: int) -> None:
        """Put a pin there, in place of whatever stands there."""

    def replace(self, key: bytes, seen: Pin, to: Pin) -> bool:
        """Put a pin in the place of the one that was seen, for as long as that has left; return whether it was done."""

    def remove(self, key: bytes) -> bool:
        """Remove whatever stands there; return whether there was something."""


class Records(Protocol):
    """Keeps what has become of sessions; every method may raise StoreDown."""

    def read(self, session: Session) -> Record | None:
        """The sums of a session."""

    def events(self, session: Session) -> list[Event]:
        """What has happened to a session, the oldest first."""

    def note(self, session: Session, event: Event) -> None:
        """Add an event of an operator."""

    def top(self, order: Order, offset: int, count: int) -> list[tuple[Session, Record]]:
        """The sessions that come first in an order."""

    def walk(self, cursor: int, count: int, match: str) -> tuple[int, list[tuple[Session, Record]]]:
        """About `count` sessions, from the cursor on, whose key's end matches; and the next cursor, 0 at the end."""


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """A session: what is kept of it, and its pin."""

    session: Session
    record: Record | None = None
    """None: it has no record, or records are switched off."""
    pin: Pin | None = None
    """None: its pin has ended, or cannot be read; its next request is decided anew."""
    ttl_s: int | None = None
    """How long the pin will live, in seconds."""

    @property
    def model(self) -> str:
        """The model that serves it, or that has served it last."""
        return self.pin.model_name if self.pin else self.record.model if self.record else ""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A session and what has happened to it, the oldest first."""

    state: SessionState
    events: tuple[Event, ...] = ()


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions are wanted; all conditions hold."""

    tenant: str | None = None
    model: str | None = None
    """The qualified name of the model that serves it."""
    text: str = ""
    """A part of the session's id."""
    ended: bool = False
    """Whether sessions are wanted, too, whose pin has ended."""

    def takes(self, state: SessionState) -> bool:
        """Whether a session is wanted."""
        session = state.session
        return (
            (self.ended or state.pin is not None)
            and (self.tenant is None or session.tenant == self.tenant)
            and (self.model is None or state.model == self.model)
            and self.text in session.id
        )


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some sessions, and where the next page begins; 0: there is none."""

    sessions: tuple[SessionState, ...]
    after: int = 0


class SessionOperations:
    """What an operator can ask of sessions and do to them. Every method raises StoreDown."""

    def __init__(
        self, *, catalog: Catalog, pins: Pins, records: Records | None, ttl_s: int, renews: bool = False
    ) -> None:
        """Pins live `ttl_s` seconds; `renews`: each use renews them. Without `records` there are pins alone."""

    def page(self, order: Order, offset: int = 0, count: int = 50, wanted: Filter = Filter()) -> Page:
        """The sessions that come first in an order, of the thousand that the index holds, from an offset on."""

    def search(self, cursor: int = 0, count: int = 50, wanted: Filter = Filter()) -> Page:
        """Sessions in no order, of all that there are, from a cursor on; at least `count`, or fewer after 20 looks."""

    def find(self, session: Session) -> SessionState:
        """One session; raises NoSession when nothing is known of it."""

    def timeline(self, session: Session) -> Timeline:
        """One session and what has happened to it; raises NoSession when nothing is known of it."""

    def pin(self, session: Session, model: str, by: Operator, ttl_s: int | None = None) -> SessionState:
        """Pin a session to a model, whether it has a pin or not; raises UnknownModel. What was held stays held.

        It lives `ttl_s` seconds, else as long as any pin.
        """

    def unpin(self, session: Session, by: Operator) -> None:
        """End a session's pin, so that its next request is decided anew; raises NoPin when it has none."""

    def hold(self, session: Session, by: Operator) -> SessionState:
        """Hold a session at its model until its pin ends: nothing moves it; raises NoPin when it has none."""

    def release(self, session: Session, by: Operator) -> SessionState:
        """End a hold, if there is one; raises NoPin when the session has no pin."""
