"""Whether the events of a session explain that another model has served it."""

from collections.abc import Iterable

import msgspec

from shared.domain.pins import Pin
from shared.domain.records import LASTING, Event, What
from shared.domain.sessions import Session

TOLERANCE_S = 5.0
"""How much later or earlier than a request an event may be that explains it: the clocks of replicas differ."""
MOVES = frozenset({"asked", "cold", "compacted", "budget", "drained"})
"""Why a session is decided anew, as its pin says it; for all else it has moved."""


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """That a session was served by another model than before, which nothing in the same process explains."""

    session: Session
    left: str
    """The model that had served it before; empty when nothing was kept of it."""
    to: str
    at: float
    """When the request came, in seconds since the epoch."""
    pin: Pin | None
    """The pin that the request was served by, if it was."""


def explained(switch: Switch, events: Iterable[Event]) -> bool:
    """Whether the events say that the model was to serve then, or that the one before it was to serve but once."""
    known = [event for event in events if event.at <= switch.at + TOLERANCE_S]
    lasting = [event for event in known if event.what in LASTING]
    earlier = [event for event in lasting if event.at < switch.at - TOLERANCE_S]
    standing = {event.model for event in (*earlier[-1:], *lasting[len(earlier) :])}
    if switch.to in standing:
        return True
    once = [event for event in known if event.what not in LASTING and event.model == switch.left]
    return bool(once and switch.pin and (not lasting or once[-1].at >= lasting[-1].at - TOLERANCE_S))


def recovered(switch: Switch, events: Iterable[Event], ttl_s: float) -> Event | None:
    """The event that nobody has written, because the process that knew of it was killed or Redis was away.

    A pin says itself which model its session has left. One that says nothing was made when there was none: for a new
    session, or when the last one that is known of had ended: it lives `ttl_s` seconds at most, unless it is renewed.
    None: it was neither.
    """
    pin, lasting = switch.pin, [event.at for event in events if event.what in LASTING]
    if pin and pin.left is not None:
        what = What.REDECIDED if pin.why in MOVES else What.MOVED
        return _told_by(pin, switch, what, pin.left, pin.why or "")
    if not switch.left:
        return _told_by(pin, switch, What.ADOPTED, None, "")
    if pin and lasting and lasting[-1] + ttl_s <= switch.at + TOLERANCE_S:
        return _told_by(pin, switch, What.ADOPTED, switch.left, "expired")
    return None


def _told_by(pin: Pin | None, switch: Switch, what: What, left: str | None, why: str) -> Event:
    return Event(at=switch.at, what=what, model=switch.to, left=left, why=why, route=pin.route_name if pin else None)
