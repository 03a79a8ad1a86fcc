"""Where a Messages request ends the prefixes that its provider shall cache."""

from typing import Any

from web.translation.checked_fields import Object

_MARK = {"type": "ephemeral"}
_TURNS = 2
"""How many of the last user turns are marked; with tools and system that makes four, the most that the API takes."""


def place(request: Object) -> None:
    """Marks the end of tools, of system and of the last two user turns, unless the client set a mark anywhere."""
    if _marked(request):
        return
    turns = [message["content"] for message in request["messages"] if message["role"] == "user"][-_TURNS:]
    for marked in (request.get("tools"), request.get("system"), *turns):
        if marked:
            marked[-1] = {**marked[-1], "cache_control": _MARK}


def _marked(request: Object) -> bool:
    if "cache_control" in request:
        return True
    lists: list[list[Any]] = [request.get("tools") or [], request.get("system") or []]
    lists += [message["content"] for message in request["messages"]]
    return any("cache_control" in each for some in lists for each in some)
