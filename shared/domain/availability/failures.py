"""Attempts that failed, and what they say about the models: whose fault a failure is decides what follows from it."""

import enum
from collections.abc import Sequence

import msgspec


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
