"""The error for a client that begins too many sessions."""

from typing import NoReturn

from shared.errors import TooManySessions

MINUTE_S = 60


def refuse(limit: int, now: float) -> NoReturn:
    """Raise TooManySessions until the minute of `now` (seconds since the epoch) is over."""
    raise TooManySessions(
        f"More than {limit} new sessions within a minute; use the ones that stand, or begin new ones later",
        retry_after_s=MINUTE_S - int(now) % MINUTE_S,
    )
