"""Gathers what happens to sessions, and adds it to their records once a second.

It costs a pinned request a few additions. A process that is killed loses what it has gathered in its last second.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from shared.domain.decisions import Decision, RouteRequest
from shared.domain.money import Prices, Usage, cost, kept, prices_of
from shared.domain.pins import Pin
from shared.domain.ranking import Snapshot
from shared.domain.session_records import Event, Note, What
from shared.domain.sessions import Session
from shared.errors import StoreDown
from web.ops.sessions.switch_explanations import Switch

log = logging.getLogger("plano.metrics")

AT_ONCE = 50
"""So many sessions go to Redis at once; while their answer is awaited, requests are served."""
MOST_SESSIONS = 10_000
"""So many sessions are gathered in a second; what happens to others is dropped, and counted."""
MOST_EVENTS = 8
"""… and so many events of a session."""
KEEP_EVENTS_S = 60
"""An event that Redis does not take is tried again for so long; it may be what explains a switch."""
_REPLICA_CHARS = 24


class Records(Protocol):
    """Keeps the records of sessions; raises StoreDown."""

    def add(self, notes: Mapping[Session, Note]) -> dict[Session, str]:
        """Add what was counted, and return which model had served each session before; empty: none."""


class Measured(Protocol):
    """Knows the prices."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Metrics(Protocol):
    """Counts what could not be kept."""

    def records_dropped(self, sessions: int) -> None:
        """What happened to so many sessions in a second is lost."""


class Watch(Protocol):
    """Looks whether what happened is what should have."""

    def note(self, switch: Switch) -> None:
        """Take notice of a switch that nothing here explains."""

    def look(self) -> None:
        """Look at those that are due."""


class _Session:
    """What has happened to a session since the last second."""

    __slots__ = ("at", "client", "events", "model", "moves", "pin", "route", "served", "turns", "used")

    def __init__(self) -> None:
        self.at = 0.0
        self.model = ""
        self.route: str | None = None
        self.client = ""
        self.pin: Pin | None = None
        self.turns = self.moves = 0
        self.used: dict[str, Usage] = {}
        self.events: list[Event] = []
        self.served: list[tuple[str, float, Decision]] = []
        """Each model that has served it after another one, for a request that came then, and its decision."""


class SessionRecords:
    """What has happened to sessions since the last second."""

    def __init__(
        self,
        records: Records | None,
        watch: Watch,
        metrics: Metrics,
        measured: Measured,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without a store nothing is gathered."""
        self._records = records
        self._watch = watch
        self._metrics = metrics
        self._measured = measured
        self._clock = clock
        self._sessions: dict[Session, _Session] = {}
        self._dropped = 0
        self._replica = ""

    def decided(self, request: RouteRequest, decision: Decision) -> None:
        """Note what has happened to a session by a decision: nothing, when its pin decided."""
        if request.session is None or (decision.pinned and not decision.adopted):
            return
        gathered = self._of(request.session)
        if gathered is None:
            return
        what, why = _what(decision)
        if what is What.DECIDED:
            gathered.client = request.client()
        model, left = decision.models[0], None
        if what is What.REDECIDED:
            left = (decision.pin.left if decision.pin else None) or model  # its own: it stays
        foreign = decision.crossed or bool(decision.pin and decision.pin.foreign_turns)
        event = self._event(what, model, left, why, decision, dropped=request.is_bound and foreign)
        self._happened(gathered, event)

    def served(self, session: Session | None, decision: Decision, model: str, at: float) -> None:
        """Note that a model serves a request that came at this time, in seconds since the epoch."""
        if session is None or (decision.alone and decision.pin is None):
            return  # what goes on from a response, or only counts tokens, is not what the session is pinned for
        gathered = self._sessions.get(session) or self._of(session)
        if gathered is None:
            return
        gathered.at = at
        gathered.turns += 1
        if decision.pin is None:  # an outage, of which its answer tells; the pin is another matter
            return
        if gathered.model != model:
            gathered.served.append((model, at, decision))
            gathered.model, gathered.route = model, decision.route
        gathered.pin = decision.pin

    def left(
        self, session: Session | None, decision: Decision, model: str, why: str, *, kept: bool, dropped: bool = False
    ) -> None:
        """Note that another model than the decided one serves a request, and whether the session's pin stays.

        `dropped`: it was sent the conversation without the reasoning of another one.
        """
        if session is None or (decision.alone and decision.pin is None):
            return
        gathered = self._of(session)
        if gathered:
            what = What.BORROWED if kept or decision.pin is None else What.MOVED
            self._happened(gathered, self._event(what, model, decision.models[0], why, decision, dropped=dropped))

    def used(self, session: Session, model: str, usage: Usage) -> None:
        """Note what an answer has used."""
        gathered = self._sessions.get(session) or self._of(session)
        if gathered:
            before = gathered.used.get(model)
            gathered.used[model] = before.plus(usage) if before else usage

    def flush(self) -> None:
        """Add what has happened to the records, and look at switches.

        Of what Redis does not take, the events are tried again with the next second's; the sums are dropped.
        """
        gathered, self._sessions = self._sessions, {}
        dropped, self._dropped = self._dropped, 0
        if self._records:
            self._write(self._records, gathered)
        if dropped + len(gathered):
            self._metrics.records_dropped(dropped + len(gathered))
        self._keep_events(gathered)
        self._watch.look()

    def _write(self, records: Records, gathered: dict[Session, _Session]) -> None:
        """Write what was gathered; what Redis has not taken is left in it."""
        listed = self._measured.snapshot().prices
        known: dict[str, Prices | None] = {}
        for part in _parts(dict(gathered)):
            try:
                before = records.add({session: self._note(each, listed, known) for session, each in part.items()})
            except StoreDown as error:
                log.debug("what happened to sessions in a second was not written: %s", error)
                return
            for session, each in part.items():
                del gathered[session]
                self._look(session, each, before[session])

    def _keep_events(self, unwritten: dict[Session, _Session]) -> None:
        """Gather the events of what was not written again, before those that have come meanwhile."""
        since = self._clock() - KEEP_EVENTS_S
        for session, each in unwritten.items():
            events = [event for event in each.events if event.at > since]
            if events and (gathered := self._of(session)):
                gathered.events = (events + gathered.events)[:MOST_EVENTS]
                gathered.client = gathered.client or each.client

    def _look(self, session: Session, each: _Session, before: str) -> None:
        """Have the watch look at each change of model that nothing here explains."""
        named = {event.model for event in each.events}
        for model, at, decision in each.served:
            made_here = decision.adopted or not decision.pinned
            if model not in {before, *named}:
                pin = decision.pin if model == decision.models[0] else None
                self._watch.note(Switch(session=session, left=before, to=model, at=at, pin=pin, made_here=made_here))
            before = model

    def _note(self, each: _Session, listed: Mapping[str, Prices], known: dict[str, Prices | None]) -> Note:
        read = cached = output = 0
        cost_usd = kept_usd = 0.0
        for model, usage in each.used.items():
            read += usage.input + usage.cache_write_5m + usage.cache_write_1h
            cached += usage.cached
            output += usage.output
            if model not in known:
                known[model] = prices_of(model, listed)
            if prices := known[model]:
                cost_usd += cost(usage, prices) or 0.0
                kept_usd += kept(usage, prices) or 0.0
        return Note(
            at=each.at or self._clock(),
            model=each.model,
            route=each.route,
            client=each.client,
            pin_ttl_s=(each.pin.ttl_s or 0) if each.pin else 0,
            turns=each.turns,
            input=read,
            cached=cached,
            output=output,
            moves=each.moves,
            cost_usd=cost_usd,
            kept_usd=kept_usd,
            events=tuple(each.events),
        )

    def _of(self, session: Session) -> _Session | None:
        """What is gathered of a session; None when nothing is, or too much of others."""
        found = self._sessions.get(session)
        if found is None and self._records:
            if len(self._sessions) >= MOST_SESSIONS:
                self._dropped += 1
                return None
            found = self._sessions[session] = _Session()
        return found

    def _event(
        self, what: What, model: str, left: str | None, why: str, decision: Decision, *, dropped: bool
    ) -> Event:
        self._replica = self._replica or f"{socket.gethostname()}-{os.getpid()}"[-_REPLICA_CHARS:]
        facts = {} if what in {What.MOVED, What.BORROWED} else dict(decision.facts or {})
        if dropped:
            facts["dropped"] = "reasoning"
        return Event(
            at=self._clock(),
            what=what,
            model=model,
            left=left,
            why=why,
            route=decision.route,
            replica=self._replica,
            facts=facts,
        )

    @staticmethod
    def _happened(gathered: _Session, event: Event) -> None:
        """Keep an event, unless the same has happened since the last second: requests may come in numbers."""
        told = (event.what, event.model, event.left, event.why)
        if any((each.what, each.model, each.left, each.why) == told for each in gathered.events):
            return
        if event.left and event.left != event.model and event.what is not What.BORROWED:
            gathered.moves += 1
        if len(gathered.events) < MOST_EVENTS:
            gathered.events.append(event)


def _what(decision: Decision) -> tuple[What, str]:
    """What a new decision is to its session, and why."""
    if decision.degraded:
        return What.DEGRADED, decision.degraded
    if decision.redecided:
        return What.REDECIDED, decision.redecided
    if decision.adopted:
        return What.ADOPTED, ""
    if decision.pin is None:
        return What.DEGRADED, "config"  # the pin's model is in another replica's config, and not in this one
    return What.DECIDED, ""


def _parts(gathered: dict[Session, _Session]) -> Iterator[dict[Session, _Session]]:
    every = iter(gathered.items())
    while part := dict(islice(every, AT_ONCE)):
        yield part
