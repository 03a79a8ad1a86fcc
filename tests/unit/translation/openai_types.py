"""What OpenAI's own package says of a request, an answer or a stream: its types, as strictly as they allow."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter

Event = tuple[str | None, dict[str, Any] | None]

_chat_request: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
_responses_request: TypeAdapter[Any] = TypeAdapter(ResponseCreateParams)
_responses_event: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_OF_CHAT_PROVIDERS = ("reasoning_content", "extra_content")
"""Fields of chat messages that OpenAI's types lack, and other providers need."""
_OURS = ("file_url",)
"""A field that never leaves the gateway in a chat request: one that goes on to Messages."""


def check_chat_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of Chat Completions, or has a field that it does not know."""
    _consume(_chat_request.validate_python(_without(body, _OF_CHAT_PROVIDERS + _OURS), extra="forbid"))


def check_responses_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of the Responses API, or has a field that it does not know.

    What an assistant said needs no id and no status at OpenAI; its types differ.
    """
    items = [{"id": "msg_1", "status": "completed", **item} if _is_said(item) else item for item in body["input"]]
    _consume(_responses_request.validate_python({**body, "input": items}, extra="forbid"))


def check_completion(answer: dict[str, Any]) -> None:
    """Raises when the answer is no chat completion."""
    ChatCompletion.model_validate_json(json.dumps(answer), strict=True)


def check_response(answer: dict[str, Any]) -> None:
    """Raises when the answer is no Response."""
    Response.model_validate_json(json.dumps(answer), strict=True)


def check_chunk(chunk: dict[str, Any]) -> None:
    """Raises when the chunk is none of a chat stream."""
    ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)


def check_event(event: dict[str, Any]) -> None:
    """Raises when the event is none of a Responses stream."""
    _responses_event.validate_json(json.dumps(event), strict=True)


def parsed(pieces: Iterable[bytes]) -> list[Event]:
    """The events in a stream: name and data; data is None for `[DONE]`."""
    events: list[Event] = []
    for piece in b"".join(pieces).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in piece.split("\n") if line)
        if "data" in fields:
            said = fields["data"]
            events.append((fields.get("event"), None if said == "[DONE]" else json.loads(said)))
    return events


def _is_said(item: dict[str, Any]) -> bool:
    return item.get("role") == "assistant" and isinstance(item["content"], list)


def _consume(value: Any) -> None:
    """Types of requests have iterables, which pydantic checks only as they are read."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | Iterator):
        return
    for each in value:
        _consume(each)


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value
