"""A web process with its records, whose clock and Redis the tests hold."""

from collections.abc import Mapping
from typing import Any

from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace
from shared.domain.money import Prices
from shared.domain.pins import Pin
from shared.domain.ranking import Snapshot
from shared.domain.session_records import Event, Note
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.memory.pool_stats import MemoryStats
from web.ops.pool.stats import PoolStats
from web.ops.sessions.records import SessionRecords
from web.ops.sessions.switch_watch import SwitchWatch

A, B = "p/a", "p/b"
SESSION = Session("s", "acme")
NOW = 1_764_000_000.0
PINNED = Decision(models=(A, B), route="code", pinned=True, pin=Pin(model_name=A, route_name="code"))


class Known:
    """Prices that stand."""

    def snapshot(self) -> Snapshot:
        return Snapshot(prices={A: Prices(2, 8, 0.5), B: Prices(4, 16, 1)})


class Counted:
    def __init__(self) -> None:
        self.dropped = self.switches = 0

    def records_dropped(self, sessions: int) -> None:
        self.dropped += sessions

    def unexplained_switch(self) -> None:
        self.switches += 1


class Book:
    """Records that can be away; it remembers what it was handed."""

    def __init__(self) -> None:
        self.away = False
        self.heard: list[dict[Session, Note]] = []
        self.known: dict[Session, str] = {}
        self.told: dict[Session, list[Event]] = {}
        self.since = 0.0

    def add(self, notes: Mapping[Session, Note]) -> dict[Session, str]:
        if self.away:
            raise StoreDown("away")
        self.heard.append(dict(notes))
        before = {session: self.known.get(session, "") for session in notes}
        for session, note in notes.items():
            self.known[session] = note.model or before[session]
            self.told.setdefault(session, []).extend(note.events)
        return before

    def began(self) -> float:
        return self.since

    def events(self, session: Session) -> list[Event]:
        if self.away:
            raise StoreDown("away")
        return self.told.get(session, [])

    def note(self, session: Session, event: Event) -> None:
        self.told.setdefault(session, []).append(event)

    def only(self) -> Note:
        ((note,),) = (part.values() for part in self.heard)
        return note


class Process:
    """A web process whose clock stands until it is turned."""

    def __init__(self, book: Book | None, counted: Counted) -> None:
        self.now = NOW
        self.stats = PoolStats(MemoryStats())
        self.watch = SwitchWatch(book, counted, self.stats, 600, lambda: self.now)
        self.records = SessionRecords(book, self.watch, counted, Known(), lambda: self.now)

    def decided(self, decision: Decision, session: Session | None = SESSION) -> None:
        self.records.decided(request(session), decision)

    def served(self, model: str, decision: Decision = PINNED, session: Session | None = SESSION) -> None:
        self.records.served(session, decision, model, self.now)

    def flush(self, after_s: float = 0) -> None:
        self.now += after_s
        self.records.flush()


def request(session: Session | None) -> RouteRequest:
    provider = Provider(name="p", base_url="http://p", interface="openai")
    return RouteRequest(
        model=Model(A, "a", provider), session=session, routes=(), inline=False, messages=b"[]",
        trace=Trace("r", "t"), client=lambda: "key-1",
    )  # fmt: skip


def decision(**changes: Any) -> Decision:
    return Decision(**{"models": (A, B), "route": "code", "pin": PINNED.pin, **changes})
