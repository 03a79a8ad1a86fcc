"""`$NAME` and `${NAME}` in the file, taken from the environment, then from `.env` beside the file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from shared.config.faults import Faults

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(rf"\$(?:\$|(?P<name>{_NAME.pattern})|\{{(?P<braced>[^}}]*)\}})")
_LINE = re.compile(rf"(?:export\s+)?(?P<name>{_NAME.pattern})\s*=\s*(?P<value>.*)")
_QUOTED = re.compile(r"(?P<quote>['\"])(?P<text>.*?)(?P=quote)\s*(?:#.*)?")
_COMMENT = re.compile(r"(?:^|\s)#.*")


class Filled(str):
    """A text made with values of variables: only their names, `source`, may be shown of it."""

    __slots__ = ("source",)

    source: str

    def __new__(cls, text: str, source: str) -> Self:
        filled = super().__new__(cls, text)
        filled.source = source
        return filled


def read_dotenv(path: Path, faults: Faults) -> dict[str, str]:
    """What a `.env` file sets, one `NAME=value` a line; nothing when there is none."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        faults.add(path.name, "cannot be read", "it is a readable text file in UTF-8")
        return {}
    values = {}
    for n, line in enumerate(map(str.strip, lines), start=1):
        found = _LINE.fullmatch(line)
        if found:
            values[found["name"]] = _unquoted(found["value"])
        elif line and not line.startswith("#"):
            faults.add(f"{path.name}, line {n}", "is not understood", "it is NAME=value")
    return values


def fill(tree: Any, variables: Mapping[str, str], faults: Faults, place: str = "") -> Any:
    """The tree with each variable's value in its place; UNSET where one is not set, which is a fault.

    `$$` is a dollar sign. Keys are left as they are.
    """
    if isinstance(tree, dict):
        return {k: fill(v, variables, faults, f"{place}.{k}".removeprefix(".")) for k, v in tree.items()}
    if isinstance(tree, list):
        return [fill(v, variables, faults, f"{place}[{n}]") for n, v in enumerate(tree)]
    return _filled(tree, variables, faults, place) if isinstance(tree, str) else tree


def _filled(text: str, variables: Mapping[str, str], faults: Faults, place: str) -> Any:
    found = [match["name"] or match["braced"] for match in _REFERENCE.finditer(text)]
    names = [name for name in found if name is not None]
    if not all(_NAME.fullmatch(name) for name in names):
        faults.add(place, "${…} holds more than a name", "it is $NAME or ${NAME}, and $$ is a dollar sign")
        return msgspec.UNSET
    missing = [f"${name}" for name in dict.fromkeys(names) if name not in variables]
    if missing:
        wrong = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        faults.add(place, wrong, "export it or write it into .env beside the file")
        return msgspec.UNSET
    whole = _REFERENCE.sub(lambda match: variables.get(match["name"] or match["braced"], "$"), text)
    return Filled(whole, " and ".join(f"${name}" for name in names)) if names else whole


def _unquoted(value: str) -> str:
    quoted = _QUOTED.fullmatch(value)
    return quoted["text"] if quoted else _COMMENT.sub("", value).strip()
