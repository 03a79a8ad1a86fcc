"""What is wrong with the file, collected so that it is told at once."""

import difflib
from collections.abc import Iterable

from shared.errors import ConfigError


class Faults:
    """The faults found so far, in the order of finding; one line each, never with a secret in it.

    A place has one fault, the first: what is found there later follows from it.
    """

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}

    def add(self, place: str, wrong: str, right: str) -> None:
        """Note what is wrong at a place, and what would be right."""
        self._lines.setdefault(place, f"{place}: {wrong}; {right}")

    def raise_any(self) -> None:
        """Raise ConfigError when there is a fault."""
        if self._lines:
            raise ConfigError(tuple(self._lines.values()))


def nearest(name: str, known: Iterable[str]) -> str:
    """What would be right instead of an unknown name: the one most like it, or any that is known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"the nearest name is {near[0]}" if near else f"it is {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Names for a reader: `a, b or c`."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
