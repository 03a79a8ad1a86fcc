"""Attempts that failed, and what they say about the models: whose fault a failure is decides what follows from it."""

import enum
from collections.abc import Callable, Sequence

import msgspec

from shared.errors import NotSent, UpstreamFailed, UpstreamRefused

_FULL_SHARE = 0.5
"""Which share of the time for a whole request a model must have had for its time-out to speak against it."""
_BUSY_S = 0.5
"""A time-out that comes so much later than it is due says that this process was busy."""


class Blame(enum.StrEnum):
    """Whom a failed attempt speaks against."""

    MODEL = "model"
    """The model: it answered with a failure, broke off, or was silent. Or the request, if the next one fails, too."""
    REFUSED = "refused"
    """The model, whatever the request was: nobody listens there, and a second connection was refused, too."""
    CLIENT = "client"
    """The client's own credential: its session may move, and the model sits out for nobody."""
    NOBODY = "nobody"
    """What failed was something else: this process had no file, no address for the name, no way out."""


_PLAIN = frozenset({Blame.REFUSED, Blame.CLIENT})
"""What is certain after one request."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a request that failed."""

    model: str
    why: str
    """A status, `timeout` or `unreachable`."""
    blame: Blame = Blame.MODEL
    retry_after_s: int | None = None
    """When the model wants to be asked again, if it says so."""
    own_deadline: bool = False
    """Whether it ran out of time that this process did not have, such as what other attempts had left."""


def blame_of(error: UpstreamFailed, refuses_again: Callable[[], bool]) -> Blame:
    """Whom an attempt without an answer speaks against; a refusal counts once a second connection is refused, too."""
    if isinstance(error, NotSent):
        return Blame.NOBODY
    return Blame.REFUSED if isinstance(error, UpstreamRefused) and refuses_again() else Blame.MODEL


def is_own_deadline(within_s: float, took_s: float, request_s: float) -> bool:
    """Whether a time-out says little of the model: it had too little of the `request_s`, or this process was busy.

    The attempt had `within_s`, and its end was noticed after `took_s` seconds.
    """
    return within_s < _FULL_SHARE * request_s or took_s > within_s + _BUSY_S


def suspect(failures: Sequence[Failure]) -> Failure | None:
    """The failure of a request that speaks against its model; None when none does.

    When two models fail with the same request, the request is at fault.
    """
    suspects = [failure for failure in failures if failure.blame is Blame.MODEL]
    return suspects[0] if len(suspects) == 1 and not suspects[0].own_deadline else None


def keeps_pin(failures: Sequence[Failure], pinned: str) -> bool:
    """Whether the session stays with its model, although another one has answered: its model was not at fault."""
    failed = next((failure for failure in failures if failure.model == pinned), None)
    return failed is not None and failed.blame not in _PLAIN and failed is not suspect(failures)
