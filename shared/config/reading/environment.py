"""`$NAME` and `${NAME}` in the file, taken from the environment, then from `.env` beside the file."""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path as FilePath
from typing import Any, Self

from dotenv.parser import parse_stream

from shared.config.faults import Faults, Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(rf"\$(?:\$|(?P<name>{_NAME.pattern})|\{{(?P<braced>[^}}]*)\}})")


class Filled(str):
    """A text made with values of variables: only their names, `source`, may be shown of it."""

    __slots__ = ("source",)

    source: str

    def __new__(cls, text: str, source: str) -> Self:
        filled = super().__new__(cls, text)
        filled.source = source
        return filled


class Unfilled:
    """Stands where a variable is not set, which is a fault already."""


def read_dotenv(path: FilePath, faults: Faults) -> dict[str, str]:
    """What a `.env` file sets; nothing when there is none.

    The parser is used rather than `dotenv_values`, which passes over a broken line or shows it in a log.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        faults.add((path.name,), "cannot be read", "it is a readable text file in UTF-8")
        return {}
    values = {}
    for line in parse_stream(StringIO(text)):
        if line.key is not None and line.value is not None:
            values[line.key] = line.value
        elif line.key is not None or line.error:
            faults.add((f"{path.name}, line {line.original.line}",), "is not understood", "it is NAME=value")
    return values


def fill(tree: Any, variables: Mapping[str, str], faults: Faults, path: Path = ()) -> Any:
    """A copy of the tree with each variable's value in its place; Unfilled where one is not set, which is a fault.

    `$$` is a dollar sign. Keys are left as they are; one that is no text is a fault, and left out.
    """
    if isinstance(tree, dict):
        for key in tree:
            if not isinstance(key, str):
                faults.add(path, f"has a key that is no text but {type(key).__name__}", "put it in quotes")
        return {k: fill(v, variables, faults, (*path, k)) for k, v in tree.items() if isinstance(k, str)}
    if isinstance(tree, list):
        return [fill(item, variables, faults, (*path, n)) for n, item in enumerate(tree)]
    return _filled(tree, variables, faults, path) if isinstance(tree, str) else tree


def _filled(text: str, variables: Mapping[str, str], faults: Faults, path: Path) -> Any:
    found = [match["name"] or match["braced"] for match in _REFERENCE.finditer(text)]
    names = [name for name in found if name is not None]
    if not all(_NAME.fullmatch(name) for name in names):
        faults.add(path, "${…} holds more than a name", "it is $NAME or ${NAME}, and $$ is a dollar sign")
        return Unfilled()
    missing = [f"${name}" for name in dict.fromkeys(names) if name not in variables]
    if missing:
        wrong = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        faults.add(path, wrong, "export it or write it into .env beside the file")
        return Unfilled()
    whole = _REFERENCE.sub(lambda match: variables.get(match["name"] or match["braced"], "$"), text)
    return Filled(whole, " and ".join(f"${name}" for name in names)) if names else whole
