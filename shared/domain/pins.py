"""The pin of a session, and how it is written in Redis."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from shared.domain.routes import Route


class Pin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The model a session was given.

    `models` holds the ranked candidates only when they came with the request; the config names them otherwise.
    """

    model_name: str
    route_name: str | None
    models: tuple[str, ...] | None = None
    until: int | None = None
    """When it ends for good, in seconds since the epoch; only where pins are renewed and have a longest age."""
    ttl_s: int | None = None
    """How long it lives after each use, where that is its own matter: as long as its provider's cache would."""
    foreign_turns: int = 0
    """So many of the conversation's first turns may hold reasoning of other models, which this one cannot read.

    UNKNOWN_TURNS, after an operator has moved the session: all that the next request has.
    """
    used_at: int | None = None
    """When it was used last, in seconds since the epoch; only where sessions are decided anew."""
    generation: str | None = None
    """Which of its agent's contexts it was made for; a compaction begins another one."""
    left: str | None = None
    """The model that the session has left for this one: the pin explains itself, whatever else of that is lost."""
    why: str | None = None
    """Why it has left it."""
    held: bool = False
    """Whether an operator holds the session there: no other model may answer it, whatever happens."""


UNKNOWN_TURNS = -1
MAX_BYTES = 4096
"""How long a pin is at most: what a client brings along is kept in Redis for as long as its session."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under the key of a pin, as an operator sees it."""

    key: bytes
    pin: Pin | None
    """None: no pin can be read there."""
    ttl_s: int
    """In seconds; -1: it never ends."""
    kind: str = "string"
    """What Redis calls its type."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pin).decode


def encode(pin: Pin) -> bytes:
    """The pin as it stands in Redis: `{"model_name":…,"route_name":…}`."""
    return _encode(pin)


def decode(value: bytes) -> Pin:
    """The pin that was written; raises msgspec.DecodeError when the value is not one."""
    try:
        return _decode(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def used(pin: Pin, now: float) -> Pin:
    """The pin after a use, if it says when it was used last."""
    return msgspec.structs.replace(pin, used_at=int(now)) if pin.used_at is not None else pin


def left_s(pin: Pin, ttl_s: int, now: float) -> int:
    """How many of the seconds the pin may still live: to its end for good at most, and one at least."""
    return ttl_s if pin.until is None else max(1, min(ttl_s, int(pin.until - now)))


def with_candidates(pin: Pin, models: Sequence[str]) -> Pin:
    """The pin with those candidates, best first, as many as a value of 4 KB has room for."""
    sizes = [len(_encode(name)) + 1 for name in models]
    longest = models[sizes.index(max(sizes))]  # the pin may move to any of them
    room = MAX_BYTES - len(_encode(msgspec.structs.replace(pin, model_name=longest, models=())))
    fitting = sum(size <= room for size in accumulate(sizes))
    return msgspec.structs.replace(pin, models=tuple(models[:fitting]))


def candidates(pin: Pin, routes: Iterable[Route]) -> tuple[str, ...]:
    """The pinned model, then the others that may serve the session: those of the pin, else those of its route."""
    others = pin.models or next((route.models for route in routes if route.name == pin.route_name), ())
    return tuple(dict.fromkeys((pin.model_name, *others)))
