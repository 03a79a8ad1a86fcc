"""What is wrong with the file, collected so that it is told at once."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from shared.errors import ConfigError

T = TypeVar("T")
Path = tuple[str | int, ...]
"""Where something stands in the file: keys of mappings and indices of lists."""

UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""Stands in a name that cannot be read."""


class Faults:
    """The faults found so far, in the order of finding; one line each, never with a secret in it.

    A place has one fault, the first: what is found there later follows from it.
    """

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._former: dict[Path, Path] = {}

    def add(self, path: Path, wrong: str, right: str, *, instead: bool = False) -> None:
        """Note what is wrong at a place, and what would be right; `instead` of what is noted there, if asked for."""
        place = self.place(path)
        if instead or place not in self._lines:
            self._lines[place] = f"{place}: {wrong}; {right}"

    def at(self, path: Path) -> bool:
        """Whether there is a fault at this place."""
        return self.place(path) in self._lines

    def rename(self, path: Path, former: Path) -> None:
        """Tell faults at the path under the one that the file has."""
        self._former[path] = former

    def place(self, path: Path) -> str:
        """The path for a reader, as the file has it: `model_providers[1].base_url`."""
        for length in range(len(path), 0, -1):
            if former := self._former.get(path[:length]):
                return self.place((*former, *path[length:]))
        return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")

    def refuse_repeated(self, name: str, values: Mapping[Path, object], right: str, *, secret: bool = False) -> None:
        """Note each value of the setting `name` that stands in a mapping before; `values` by places of mappings."""
        first: dict[object, Path] = {}
        for path, value in values.items():
            before = first.setdefault(value, path)
            if before != path and not self.at((*before, name)):
                same = f"is the {name} of" if secret else f"is {value!r}, as in"
                self.add((*path, name), f"{same} {self.place(before)}", right)

    def raise_any(self) -> None:
        """Raise ConfigError when there is a fault."""
        if self._lines:
            raise ConfigError(tuple(self._lines.values()))


def by_path(items: Iterable[T], *section: str) -> dict[Path, T]:
    """The items of a list, each with the path to it."""
    return {(*section, n): item for n, item in enumerate(items)}


def nearest(name: str, known: Iterable[str]) -> str:
    """What would be right instead of an unknown name: the first that begins with it, else the one most like it."""
    names = list(known)
    near = [other for other in names if name and other.startswith(name)] or difflib.get_close_matches(
        name, names, n=1
    )
    return f"the nearest name is {near[0]}" if near else f"it is {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Names for a reader: `a, b or c`."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
