"""Whether the events of a session explain that another model has served it."""

from collections.abc import Iterable, Sequence

import msgspec

from shared.domain.pins import Pin
from shared.domain.session_records import LASTING, Event, What
from shared.domain.sessions import Session

TOLERANCE_S = 5.0
"""How much later or earlier than a request an event may be that explains it: the clocks of replicas differ."""
REDECISIONS = frozenset({"asked", "cold", "compacted", "budget", "drained"})
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
    made_here: bool = False
    """Whether this process had the pin made, or found it when it wanted to: it has noted that a moment before."""


def explained(switch: Switch, events: Iterable[Event]) -> bool:
    """Whether the events say that this model was to serve the session then."""
    lasting = [event for event in events if event.what in LASTING and event.at <= switch.at + TOLERANCE_S]
    earlier = [event for event in lasting if event.at < switch.at - TOLERANCE_S]
    return switch.to in {event.model for event in (*earlier[-1:], *lasting[len(earlier) :])}


def recovered(switch: Switch, events: Iterable[Event], ttl_s: float, began: float) -> Event | None:
    """The event that nobody has written, because who knew of it was killed, or gave up, or Redis was away.

    A pin says itself which model its session has left. One that says nothing was made when there was none: for a new
    session; when the last one that is known of had ended, which lives `ttl_s` seconds at most unless it is renewed;
    when Redis, which `began` then, had lost the last one; or by a worker for a request that had given up, and was
    served by its own model. None: it was none of these, and this process knows of no decision either.
    """
    pin = switch.pin
    known = [event for event in events if event.at <= switch.at + TOLERANCE_S and not _ended_it(switch, event)]
    if pin and pin.left is not None:
        what = What.REDECIDED if pin.why in REDECISIONS else What.MOVED
        return _told_by(pin, switch, what, pin.left, pin.why or "")
    if not switch.left:
        return _told_by(pin, switch, What.ADOPTED, None, "")
    why = _why_adopted(switch, known, ttl_s, began) if pin else None
    return None if why is None else _told_by(pin, switch, What.ADOPTED, switch.left, why)


def _ended_it(switch: Switch, event: Event) -> bool:
    """Whether the session left the model again by this event: it says nothing of how it came there."""
    return event.left == switch.to and event.at > switch.at


def _why_adopted(switch: Switch, known: Sequence[Event], ttl_s: float, began: float) -> str | None:
    """Why a pin was made of which no event tells; None: nothing says that there could have been one."""
    lasting = [event for event in known if event.what in LASTING and event.at >= began]
    once = [event.at for event in known if event.what not in LASTING and event.model == switch.left]
    if once and (not lasting or once[-1] >= lasting[-1].at - TOLERANCE_S):
        return ""
    if not lasting:
        return "lost"
    made = [event.at for event in lasting if event.what is not What.MOVED] or [lasting[0].at]
    if made[-1] + ttl_s <= switch.at + TOLERANCE_S:  # a pin that moves ends when it would have ended
        return "expired"
    return "" if switch.made_here else None


def _told_by(pin: Pin | None, switch: Switch, what: What, left: str | None, why: str) -> Event:
    return Event(at=switch.at, what=what, model=switch.to, left=left, why=why, route=pin.route_name if pin else None)
