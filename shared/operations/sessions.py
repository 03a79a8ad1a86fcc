"""Sessions, as an operator sees and changes them."""

import logging
import time
from collections.abc import Sequence

import msgspec

from shared.domain.catalog import Catalog
from shared.domain.pins import UNKNOWN_TURNS, Held, Pin, used
from shared.domain.session_records import Event, Order, Record, What
from shared.domain.sessions import Session
from shared.errors import NoPin, NoSession
from shared.log_fields import fields
from shared.operations.operator_identity import Operator
from shared.operations.ports import Pins, Records
from shared.store import keys

log = logging.getLogger("plano.events")

AT_ONCE = 100
"""So many sessions of an order are looked at in one round trip."""
LISTED = 1000
"""So many sessions an order has."""
SCANNED = 500
"""How many keys of Redis one look of a search passes; with a million sessions it takes Redis a millisecond or two."""
MOST_LOOKS = 40
"""How many looks one page of a search takes at most; a page may be empty, and the search still go on."""
_TRIES = 5
"""How often a pin is edited that another process changes at the same time."""


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


EVERY = Filter()
"""Every session that has a pin."""


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
        self._catalog = catalog
        self._pins = pins
        self._records = records
        self._ttl_s = ttl_s
        self._renews = renews

    def page(self, order: Order = Order.LAST_USE, offset: int = 0, count: int = 50, wanted: Filter = EVERY) -> Page:
        """The sessions that come first in an order, of the thousand that it has, from an offset on.

        Without records it is a page of a search.
        """
        if self._records is None:
            return self.search(offset, count, wanted)
        found: list[SessionState] = []
        for begin in range(offset, LISTED, AT_ONCE):
            states = self._pinned(self._records.top(order, begin, AT_ONCE))
            for place, state in enumerate(states, begin + 1):
                if wanted.takes(state):
                    found.append(state)
                if len(found) == count:
                    return Page(sessions=tuple(found), after=place)
            if not states:
                break
        return Page(sessions=tuple(found))

    def search(self, cursor: int = 0, count: int = 50, wanted: Filter = EVERY) -> Page:
        """Sessions in no order, of all that there are, from a cursor on: `count` or more, or fewer after 40 looks."""
        found: list[SessionState] = []
        match = keys.matching(wanted.tenant, wanted.text)
        for _ in range(MOST_LOOKS):
            cursor, states = self._looked(cursor, match, wanted)
            found += states
            if cursor == 0 or len(found) >= count:
                break
        return Page(sessions=tuple(found), after=cursor)

    def known(self, sessions: Sequence[Session]) -> list[SessionState]:
        """Those of the sessions of which something is known."""
        return [state for state in self._states(sessions) if state.pin or state.record]

    def timeline(self, session: Session) -> Timeline:
        """One session and what has happened to it; raises NoSession when nothing is known of it."""
        state = self._state(session)
        events = tuple(self._records.events(session)) if self._records else ()
        if state.pin is None and state.record is None and not events:
            raise NoSession(f"Nothing is known of {_named(session)}")
        return Timeline(state=state, events=events)

    def pin(self, session: Session, model: str, by: Operator, ttl_s: int | None = None) -> SessionState:
        """Pin a session to a model, whether it has a pin or not; raises UnknownModel. What was held stays held.

        It lives `ttl_s` seconds, else as long as any pin. What the session's earlier models have signed is left out
        of its next request, since the new one could not read it.
        """
        name = self._catalog.qualify(model)
        held = self._pins.peek(_key(session))
        seen = held.pin if held else None
        pin = edited(seen, name, ttl_s if self._renews else None, time.time())
        lives_s = ttl_s or pin.ttl_s or self._ttl_s
        self._pins.put(_key(session), pin, lives_s)
        self._note(session, by, "pin", model=name, left=seen, pin_ttl_s=lives_s)
        return self._state(session)

    def unpin(self, session: Session, by: Operator) -> None:
        """End a session's pin, so that its next request is decided anew; raises NoPin when it has none."""
        held = self._pins.peek(_key(session))
        if held is None or not self._pins.remove(_key(session)):
            raise _no_pin(session)
        self._note(session, by, "unpin", model="", left=held.pin)

    def remove(self, key: bytes, by: Operator) -> None:
        """Remove whatever stands under a key of pins, which is unpinning where a session has it; raises NoPin."""
        session, shown = keys.session_of(key.decode("latin-1")), key.decode("utf-8", "backslashreplace")
        if session:
            self.unpin(session, by)
            return
        if not self._pins.remove(key):
            raise NoPin(f"There is no pin at {shown}")
        log.info("pin removed", extra=fields(key=shown, who=by.who, why=by.why))

    def hold(self, session: Session, by: Operator) -> SessionState:
        """Hold a session at its model until its pin ends: nothing moves it; raises NoPin when it has none."""
        return self._turned(session, by, held=True)

    def release(self, session: Session, by: Operator) -> SessionState:
        """End a hold, if there is one; raises NoPin when the session has no pin."""
        return self._turned(session, by, held=False)

    def _turned(self, session: Session, by: Operator, *, held: bool) -> SessionState:
        for _ in range(_TRIES):
            found = self._pins.peek(_key(session))
            if found is None or found.pin is None:
                break
            if found.pin.held is held:
                return self._state(session)
            if self._pins.replace(_key(session), found.pin, msgspec.structs.replace(found.pin, held=held)):
                what, name = "hold" if held else "release", found.pin.model_name
                self._note(session, by, what, model=name, left=found.pin, pin_ttl_s=found.ttl_s)
                return self._state(session)
        raise _no_pin(session)

    def _note(
        self, session: Session, by: Operator, what: str, *, model: str, left: Pin | None, pin_ttl_s: int = 0
    ) -> None:
        """Log what an operator has done, and keep it as long as a record of a pin that has so many seconds left."""
        log.info(
            "session edited",
            extra=fields(session=session.id, tenant=session.tenant, what=what, to=model, who=by.who, why=by.why),
        )
        if self._records:
            event = Event(
                at=time.time(),
                what=What.EDITED,
                model=model,
                left=left.model_name if left and left.model_name != model else None,
                why=what,
                route=left.route_name if left else None,
                who=by.who,
                facts={"reason": by.why} if by.why else {},
            )
            self._records.note(session, event, pin_ttl_s)

    def _state(self, session: Session) -> SessionState:
        return self._states([session])[0]

    def _states(self, sessions: Sequence[Session]) -> list[SessionState]:
        return self._pinned(list(zip(sessions, self._recorded(sessions), strict=True)))

    def _recorded(self, sessions: Sequence[Session]) -> Sequence[Record | None]:
        """What is kept of each of the sessions."""
        return self._records.known(sessions) if self._records else [None] * len(sessions)

    def _looked(self, cursor: int, match: str, wanted: Filter) -> tuple[int, list[SessionState]]:
        """The wanted sessions among the next keys: of records where those that have ended count, else of pins."""
        if wanted.ended and self._records:
            after, known = self._records.walk(cursor, SCANNED, match)
            return after, [state for state in self._pinned(known) if wanted.takes(state)]
        after, found = self._pins.page(cursor, SCANNED, match)
        every = ((keys.session_of(held.key.decode("latin-1")), held) for held in found)
        states = [SessionState(session=session, pin=held.pin, ttl_s=held.ttl_s) for session, held in every if session]
        taken = [state for state in states if wanted.takes(state)]
        rows = zip(taken, self._recorded([state.session for state in taken]), strict=True)
        return after, [msgspec.structs.replace(state, record=record) for state, record in rows]

    def _pinned(self, known: Sequence[tuple[Session, Record | None]]) -> list[SessionState]:
        """The sessions with their pins."""
        found = {held.key: held for held in self._pins.under([_key(session) for session, _ in known])}
        return [_with_pin(session, record, found.get(_key(session))) for session, record in known]


def edited(seen: Pin | None, model_name: str, own_ttl_s: int | None, now: float) -> Pin:
    """The pin with which an operator replaces what stands there; with `own_ttl_s` each use renews it for so long."""
    if seen is None:
        return Pin(model_name=model_name, route_name=None, ttl_s=own_ttl_s)
    moves = seen.model_name != model_name
    until = max(seen.until, int(now) + own_ttl_s) if seen.until and own_ttl_s else seen.until
    return msgspec.structs.replace(
        used(seen, now),
        model_name=model_name,
        ttl_s=own_ttl_s or seen.ttl_s,
        until=until,
        foreign_turns=UNKNOWN_TURNS if moves else seen.foreign_turns,
        left=seen.model_name if moves else seen.left,
        why="pin" if moves else seen.why,
    )


def _with_pin(session: Session, record: Record | None, held: Held | None) -> SessionState:
    pin = held.pin if held else None
    return SessionState(session=session, record=record, pin=pin, ttl_s=held.ttl_s if held and pin else None)


def _key(session: Session) -> bytes:
    return keys.affinity(session).encode()


def _named(session: Session) -> str:
    """The session as a message names it."""
    whose = f" of the tenant {session.tenant!r}" if session.tenant is not None else ""
    lane = f", thread {'/'.join(session.lane)!r}" if session.lane else ""
    return f"the session {session.id!r}{whose}{lane}"


def _no_pin(session: Session) -> NoPin:
    return NoPin(f"There is no pin of {_named(session)}")
