"""The records of sessions in Redis: their sums, their events, and which sessions come first."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import redis

from shared.domain.session_records import Event, Note, Order, Record
from shared.domain.sessions import Session
from shared.store import keys, scripts
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder
from shared.store.sessions import wire
from shared.store.sessions.key_walk import AT_ONCE, KeyWalk

MOST_EVENTS = 50
MOST_BYTES = 1500
"""How many events are kept of a session, and how long they are together: with its sums a session has 2 KB at most."""
LISTED = 1000
"""How many sessions are listed by each order."""


class RecordStore:
    """Adds to records and reads them; every method raises StoreDown."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        session_ttl_s: int,
        kept_s: int,
        unreadable: Unreadable | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """A record ends `kept_s` seconds after the pin would that lives longest of those that notes tell of.

        A note tells of the pin that a use has made or renewed, or that an operator has put there.
        """
        self._redis = client
        self._session_ttl_s = session_ttl_s
        self._kept_s = kept_s
        self._walk = KeyWalk(client, pause)
        self._unreadable = unreadable or Unreadable()
        self._lines = Decoder(wire.decode, self._unreadable)
        self._add = client.register_script(scripts.read("add_records.lua"))

    def add(self, notes: Mapping[Session, Note]) -> dict[Session, str]:
        """Add what was counted, and return which model had served each session before; empty: none.

        It is one round trip, and keeps Redis for some 10 µs a session: `notes` are a hundred at most.
        """
        every = [keys.top(order.value) for order in Order]
        told: list[tuple[str, Note, int]] = []
        for session, note in notes.items():
            name = keys.named(session)
            every += (keys.RECORD + name, keys.EVENTS + name)
            told.append((name, note, max(note.pin_ttl_s, self._session_ttl_s) + self._kept_s))
        list_ttl_s = self._session_ttl_s + self._kept_s
        answers: Any = self._add(every, [list_ttl_s, LISTED, MOST_EVENTS, MOST_BYTES, wire.encode_notes(told)])
        return {session: model.decode("utf-8", "replace") for session, model in zip(notes, answers, strict=True)}

    def note(self, session: Session, event: Event, pin_ttl_s: int = 0) -> None:
        """Note what an operator has done, who left a pin for `pin_ttl_s` seconds; that is no use of the session."""
        self.add({session: Note(at=0, model=event.model, pin_ttl_s=pin_ttl_s, events=(event,))})

    def read(self, session: Session) -> Record | None:
        """What is kept of a session, or None."""
        return next(self._records([keys.record(session).encode()]))

    def known(self, sessions: Sequence[Session]) -> list[Record | None]:
        """What is kept of each of the sessions."""
        return list(self._records([keys.record(session).encode() for session in sessions])) if sessions else []

    def events(self, session: Session) -> list[Event]:
        """The newest events of a session, the oldest of them first."""
        key = keys.events(session)
        try:
            lines: Any = self._redis.lrange(key, 0, -1)
        except WrongType as error:
            self._unreadable.note(key, error)
            return []
        once = dict.fromkeys(lines)  # a Redis that did not answer in time may have taken what was then written again
        found = [event for line in once if (event := self._lines.read(key, line))]
        return sorted(found, key=lambda event: event.at)

    def began(self) -> float:
        """A moment after Redis was started, in seconds since the epoch; what is on no disk it has lost then.

        It tells whole seconds: the start was up to two seconds before.
        """
        told: Any = self._redis.info("server")
        return time.time() - float(told["uptime_in_seconds"]) + 1

    def top(self, order: Order, offset: int = 0, count: int = AT_ONCE) -> list[tuple[Session, Record]]:
        """Those of the first 1,000 sessions of an order; fewer where a record has ended."""
        key = keys.top(order.value)
        try:
            lowest_first: Any = self._redis.zrange(key, -offset - count, -offset - 1)  # the ACL has no ZREVRANGE
        except WrongType as error:
            self._unreadable.note(key, error)
            self._redis.delete(key)
            return []
        found = list(self._found([keys.RECORD.encode() + name for name in reversed(lowest_first)]))
        ended = set(lowest_first) - {keys.named(session).encode() for session, _ in found}
        if ended:
            self._redis.zrem(key, *ended)
        return found

    def walk(self, cursor: int, count: int, match: str = "*") -> tuple[int, list[tuple[Session, Record]]]:
        """The records among about `count` keys from the cursor on, and the next cursor, 0 at the end.

        `match` is a pattern for what the keys of the pins end with, as `keys.matching` makes it.
        """
        after, names = self._walk.page(keys.RECORD + match, cursor, count)
        return after, list(self._found(names))

    def _found(self, names: Sequence[bytes]) -> Iterator[tuple[Session, Record]]:
        """The sessions among these keys of records, with what is kept of them."""
        for some in self._walk.steps(names):
            for name, record in zip(some, list(self._records(some)), strict=True):
                session = keys.session_of(keys.AFFINITY + name.decode("latin-1").removeprefix(keys.RECORD))
                if session and record:
                    yield session, record

    def _records(self, names: Sequence[bytes]) -> Iterator[Record | None]:
        with self._redis.pipeline(transaction=False) as together:
            for name in names:
                together.hgetall(name)
            answers = together.execute(raise_on_error=False)
        for name, answer in zip(names, answers, strict=True):
            record = wire.decode_record(answer) if answer else None
            if answer and record is None:
                self._unreadable.note(name.decode("utf-8", "backslashreplace"), "it is no record")
            yield record
