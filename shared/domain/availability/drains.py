"""Models that an operator drains: new sessions avoid them, and their sessions move away."""

from collections.abc import Container, Sequence

import msgspec

KEPT_S = 7 * 24 * 3600
"""How long a drain lasts at most; one that is wanted for longer is a change of the config."""


class Drain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a model is drained."""

    since: float
    """In seconds since the epoch."""
    now: bool = False
    """Whether its sessions move whatever they are at; else not in a tool loop, nor while they are bound to it."""
    who: str = ""
    """The operator."""
    why: str = ""


def drained_last(models: Sequence[str], drains: Container[str]) -> tuple[str, ...]:
    """The models in their order, those that are drained behind all others."""
    return tuple(sorted(models, key=lambda name: name in drains))
