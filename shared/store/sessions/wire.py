"""How records and events are written in Redis: short, since there is one for each session."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from shared.domain.session_records import Event, Note, Record, What

_NANO = 1_000_000_000
"""Dollars stand in Redis as billionths of a US$, whole numbers."""
_SUMS = ("turns", "input", "cached", "output", "moves")
_USD = {"cost": "cost_usd", "kept": "kept_usd"}
_PLACES = ("at", "what", "model", "left", "why", "route", "replica", "who", "facts")
"""An event is a JSON array of these, in this order, without the empty ones at its end."""
_ROUTE = _PLACES.index("route")
ROUTE_CHARS = 64
"""So much is kept of a route's name, which a client may have chosen: a hash of longer values takes 1 KB."""
_MOST_CHARS = 600
"""A longer event loses its figures."""
_encode = msgspec.json.Encoder().encode


class _Line(msgspec.Struct, frozen=True, array_like=True):
    at: float
    what: What
    model: str
    left: str | None = None
    why: str = ""
    route: str | None = None
    replica: str = ""
    who: str = ""
    facts: dict[str, str | float] = {}


_line = msgspec.json.Decoder(_Line).decode


def decode(line: bytes) -> Event:
    """The event that was written; raises msgspec.DecodeError when the line is none."""
    try:
        found = _line(line)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return Event(**{name: getattr(found, name) for name in _PLACES})


def encode(event: Event) -> str:
    """The event as it stands in Redis, such as `[1764000000.5,"moved","b/y","a/x","503"]`."""
    facts: list[Any] = [getattr(event, name) for name in _PLACES]
    facts[0], facts[_ROUTE] = round(event.at, 3), (event.route or "")[:ROUTE_CHARS] or None
    while not facts[-1]:
        facts.pop()
    line = _encode(facts).decode()
    return line if len(line) <= _MOST_CHARS or not event.facts else encode(msgspec.structs.replace(event, facts={}))


def encode_notes(notes: Iterable[tuple[str, Note, int]]) -> bytes:
    """What the script takes: of each session the name, what is added, and how long it is kept, in seconds."""
    return _encode([_told(name, note, ttl_s) for name, note, ttl_s in notes])


def _told(name: str, note: Note, ttl_s: int) -> tuple[Any, ...]:
    added = (
        note.turns,
        note.input,
        note.cached,
        note.output,
        note.moves,
        round(note.cost_usd * _NANO),
        round(note.kept_usd * _NANO),
    )
    words = (note.model, (note.route or "")[:ROUTE_CHARS], note.client)
    return name, ttl_s, note.at, words, added, tuple(map(encode, note.events))


def decode_record(fields: Any) -> Record | None:
    """The record in a hash; None when it is none."""
    try:
        texts = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
        sums: dict[str, Any] = {name: int(texts.get(name, 0)) for name in _SUMS}
        sums |= {attribute: int(texts.get(field, 0)) / _NANO for field, attribute in _USD.items()}
        first, last = float(texts["first"]), float(texts["last"])
    except (AttributeError, KeyError, ValueError):
        return None
    if not (math.isfinite(first) and math.isfinite(last)):
        return None
    return Record(
        first_used=first,
        last_used=last,
        model=texts.get("model", ""),
        route=texts.get("route") or None,
        client=texts.get("client", ""),
        **sums,
    )
