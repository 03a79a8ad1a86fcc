"""What the pool has done, minute by minute."""

from collections.abc import Iterable

import msgspec

MINUTE_S = 60
KEPT_S = 25 * 3600
"""How long a minute is kept: a day, and the quarter of an hour by which the first point of its chart may be older."""


class Sums(msgspec.Struct, kw_only=True):
    """What happened in a minute, or in several; a process adds to its own until it hands them over."""

    requests: int = 0
    """Every request of a client for an answer or a decision, also those that need no decision."""
    pinned: int = 0
    """Those that a pin decided."""
    decided: int = 0
    """First requests: those for which a decision was made."""
    first_request_s: float = 0.0
    """How long their decisions took, added up."""
    errors: int = 0
    """Those that had no answer of a model, or one with a status from 500 on."""
    degraded: int = 0
    """Those for which a part of the pool was away."""
    unexplained: int = 0
    """Switches of a session's model that no event explains."""
    cost_usd: float = 0.0
    kept_usd: float = 0.0
    lost_usd: float = 0.0


def pinned_share(minutes: Iterable[Sums]) -> float | None:
    """Which share of the requests that needed a decision had it from a pin; None when there were none."""
    pinned = needed = 0
    for each in minutes:
        pinned += each.pinned
        needed += each.pinned + each.decided + each.degraded
    return pinned / needed if needed else None
