"""A tree of plain values read into the models, each fault noted with its place."""

import copy
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.config.faults import UNREADABLE, Faults, Path, nearest
from shared.config.fields import Missing, Unknown, without_credentials
from shared.config.reading.environment import Filled
from shared.config.routing_section import MAPPING, WORD
from shared.config.sections import ConfigFile

_NOT_IN_FILE = (MAPPING, WORD, "[key]")
"""What pydantic adds to the location of an error: the member of a union, and that a key is meant."""
_RIGHT = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "a text",
    "too_short": "a list of at least one model",
    "tuple_type": "a list",
}
_KINDS = {str: "a text", bool: "a flag", int: "a whole number", list: "a list", tuple: "a list", dict: "a mapping"}
_LONGEST = 60
_MOST_BITS = 128
_STAND_INS: dict[str | int, Any] = {
    "description": UNREADABLE,
    "key": "unreadable",
    "model": f"openai/{UNREADABLE}",
    "models": [UNREADABLE],
    "name": UNREADABLE,
    "provider": "observed",
    "target": UNREADABLE,
    "type": "latency",
}
"""What stands for a required setting that cannot be read, so that what is beside it is checked.

The rules between settings find nothing wrong with it but at its own place, which has its fault already.
"""


def read(tree: dict[str, Any], folder: FilePath, faults: Faults) -> ConfigFile:
    """What can be read of the tree, which is changed; paths in it start at `folder`.

    pydantic tells all faults of the values at once, but gives nothing then. So the faults are noted, the values are
    left out or replaced, and the tree is read again: the rules between settings are checked on all that is readable.
    """
    first = True
    while True:
        try:
            return ConfigFile.model_validate(tree, context=folder)
        except ValidationError as error:
            details = {_path(tree, detail["loc"]): detail for detail in reversed(error.errors(include_url=False))}
        for path, detail in reversed(details.items()):
            follows = any(
                other[: len(path)] == path != other for other in details
            )  # a list too short without an item
            if first and not follows:
                _note(path, detail, faults)
        for path, detail in details.items():
            _mend(tree, path, detail["type"])
        first = False


def _path(node: Any, location: Path) -> Path:
    """Where an error is in the tree."""
    path: Path = ()
    for key in location:
        if key not in _NOT_IN_FILE or (isinstance(node, dict) and key in node):
            path += (key,)
            node = _child(node, key)
    return path


def _mend(tree: Any, path: Path, wrong: str) -> None:
    """Make the tree readable at this place, lists as long as they are."""
    *above, last = path
    holder = tree
    for key in above:
        holder = _child(holder, key)
    if isinstance(holder, list):
        holder[int(last)] = {} if wrong == "model_type" else UNREADABLE
    elif isinstance(holder, dict) and last in holder:
        del holder[last]
    elif last in _STAND_INS:
        holder[last] = copy.copy(_STAND_INS[last])
    else:
        _mend(tree, tuple(above), wrong)


def _child(node: Any, key: str | int) -> Any:
    if isinstance(node, list) and isinstance(key, int):
        return node[key]
    return node.get(key) if isinstance(node, dict) else None


def _note(path: Path, detail: ErrorDetails, faults: Faults) -> None:
    value, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if isinstance(value, Unknown):
        faults.add(path, "is not known", nearest(str(path[-1]), value.known), instead=True)
    elif kind == "refused":
        faults.add(path, context["wrong"], context["right"])
    elif kind == "literal_error":
        choices = context["expected"].replace("'", "")
        faults.add(path, f"is {_shown(value, 'all')}", f"it is {choices}")
    else:
        shown = _shown(value, context.get("show", "numbers"))
        faults.add(path, f"is {shown}", f"it is {_RIGHT.get(kind, detail['msg'])}")


def _shown(value: Any, show: str) -> str:
    """A wrong value for the reader; a secret, or what may be one, only by its kind."""
    if isinstance(value, Missing):
        return "missing"
    empty = value is None or value in ("", (), [], {})
    if isinstance(value, Filled):
        return f"empty, as {value.source} is" if empty else f"what {value.source} stands for"
    if empty:
        return "empty"
    if isinstance(value, str) and show != "numbers":
        text = without_credentials(value)
        return "not usable" if show == "nothing" else repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    if isinstance(value, int | float) and show != "nothing":
        long = isinstance(value, int) and value.bit_length() > _MOST_BITS  # Python refuses to print very long ones
        return "a number of very many digits" if long else str(value).lower()
    return _KINDS.get(type(value), f"a {type(value).__name__}")
