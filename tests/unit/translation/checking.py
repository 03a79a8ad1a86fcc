"""What the checks by the vendors' packages have in common."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import httpx2

Event = tuple[str | None, dict[str, Any] | None]


def parsed(pieces: Iterable[bytes]) -> list[Event]:
    """The events in a stream: name and data; data is None for `[DONE]`."""
    events: list[Event] = []
    for piece in b"".join(pieces).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in piece.split("\n") if line)
        if "data" in fields:
            said = fields["data"]
            events.append((fields.get("event"), None if said == "[DONE]" else json.loads(said)))
    return events


def transport(stream: bytes) -> httpx2.Client:
    """Answers whatever is asked with this stream."""
    headers = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    )


def consume(value: Any) -> None:
    """Types of requests have iterables, which pydantic checks only as they are read."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | Iterator):
        return
    for each in value:
        consume(each)


def without(value: Any, names: tuple[str, ...]) -> Any:
    """The value without fields of these names, however deep they lie."""
    if isinstance(value, dict):
        return {name: without(each, names) for name, each in value.items() if name not in names}
    return [without(each, names) for each in value] if isinstance(value, list) else value
