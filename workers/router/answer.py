"""Reads the router model's answer."""

import ast
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.domain.routes import NO_ROUTE
from shared.errors import RouterDown

MAX_LENGTH = 4096
"""The longest answer that is parsed; a valid one is a short object."""

_FENCE = "```"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+-]*")
_UNESCAPED = re.compile(r"\{\s*'route'\s*:\s*'(.*)'\s*\}", re.DOTALL)


def route_of(content: str, names: Sequence[str]) -> str | None:
    """The route that an answer names, or None when it names no known one. Of a list the first known one counts.

    An answer is `{"route": …}`, as JSON or as a Python literal, with or without a code fence, or half of
    one. Raises RouterDown for
    anything else.
    """
    if len(content) > MAX_LENGTH:
        raise RouterDown(f"the router's answer has {len(content)} characters; at most {MAX_LENGTH} are read")
    chosen = _chosen(_unfenced(content), names)
    entries = chosen if isinstance(chosen, list | tuple) else (chosen,)
    if not all(entry is None or isinstance(entry, str) for entry in entries):
        raise RouterDown("the router's answer names its route by something that is not text")
    return next((entry for entry in entries if entry in names and entry != NO_ROUTE), None)


def _unfenced(content: str) -> str:
    text = content.strip().removesuffix(_FENCE)  # some models write the closing fence alone
    if text.startswith(_FENCE):
        text = text.removeprefix(_FENCE)
        text = text[_LANGUAGE.match(text).end() :]  # type: ignore[union-attr]  # it matches the empty text too
    return text.strip()


def _chosen(text: str, names: Sequence[str]) -> Any:
    """The value of `route`."""
    answer = _parsed(text)
    if isinstance(answer, dict) and "route" in answer:
        return answer["route"]
    name = _UNESCAPED.fullmatch(text)
    if name and name[1] in names:
        return name[1]
    raise RouterDown("the router's answer is not an object with a route")


def _parsed(text: str) -> Any:
    """The value of a JSON text or of a Python literal; None when it is neither."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
