"""The name of a tool in chat, and what the Responses client calls it.

Chat has functions only. A tool that takes free text, a search for tools and a tool in a namespace travel as
functions; the client's own request says what a call of one has to look like in the answer.
"""

from hashlib import sha256
from typing import Any

import msgspec

from web.translation.checked_fields import Object

_LONGEST = 64
"""Characters that the name of a function may have in chat."""


class Tool(msgspec.Struct, frozen=True):
    """A tool as the client declared it: `kind` is function, custom or tool_search."""

    kind: str
    name: str
    namespace: str | None = None


def flat_name(name: str, namespace: Any) -> str:
    """`namespace__name`; a longer one than chat allows keeps its beginning and gets a hash."""
    if not namespace or not isinstance(namespace, str):
        return name
    flat = f"{namespace.removesuffix('__')}__{name}"  # Codex names those of MCP servers `mcp__server__`
    if len(flat) <= _LONGEST:
        return flat
    return f"{flat[: _LONGEST - 9]}_{sha256(flat.encode()).hexdigest()[:8]}"


def tool_of(declared: Object, namespace: str | None) -> tuple[str, Tool]:
    """A declared tool with the name that chat knows it by."""
    kind, name = str(declared.get("type")), declared.get("name")
    if kind == "tool_search" or not isinstance(name, str):
        return kind, Tool(kind, kind)
    return flat_name(name, namespace), Tool(kind, name, namespace)
