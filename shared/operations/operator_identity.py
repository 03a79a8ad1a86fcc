"""Who changes something, and why."""

import msgspec


class Operator(msgspec.Struct, frozen=True):
    """Who changes something, and why; both are part of what is kept of the change."""

    who: str
    why: str = ""
