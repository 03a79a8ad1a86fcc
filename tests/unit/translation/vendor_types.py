"""What the vendors' own packages say of a request, an answer or a stream: their types, as strictly as they allow."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message, MessageCreateParams, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

Event = tuple[str | None, dict[str, Any] | None]

_messages_request: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
_chat_request: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
_message_event: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

_SAMPLING = ("temperature", "top_p", "top_k")
"""Taken by older models; the types describe the newest API."""
_OF_CHAT_PROVIDERS = ("reasoning_content", "extra_content")
"""Fields of chat messages that OpenAI's types lack, and other providers need."""


def check_messages_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of the Messages API, or has a field that it does not know."""
    known = {name: value for name, value in body.items() if name not in _SAMPLING}
    _consume(_messages_request.validate_python(known, extra="forbid"))


def check_chat_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of Chat Completions, or has a field that it does not know."""
    _consume(_chat_request.validate_python(_without(body, _OF_CHAT_PROVIDERS), extra="forbid"))


def check_message(answer: dict[str, Any]) -> None:
    Message.model_validate_json(json.dumps(answer), strict=True)


def check_completion(answer: dict[str, Any]) -> None:
    ChatCompletion.model_validate_json(json.dumps(answer), strict=True)


def check_message_event(event: dict[str, Any]) -> None:
    if event["type"] not in {"ping", "error"}:  # its types leave these two to the transport
        _message_event.validate_json(json.dumps(event), strict=True)


def check_chunk(chunk: dict[str, Any]) -> None:
    ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)


def parsed(pieces: Iterable[bytes]) -> list[Event]:
    """The events in a stream: name and data; data is None for `[DONE]`."""
    events: list[Event] = []
    for piece in b"".join(pieces).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in piece.splitlines() if line)
        if "data" in fields:
            said = fields["data"]
            events.append((fields.get("event"), None if said == "[DONE]" else json.loads(said)))
    return events


def read_by_anthropic(stream: bytes) -> Message:
    """The message that Anthropic's own client makes of a stream."""
    with (
        _transport(stream) as http,
        anthropic.Anthropic(api_key="none", http_client=http, max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}]) as events,
    ):
        return events.get_final_message()


def read_by_openai(stream: bytes) -> list[ChatCompletionChunk]:
    """The chunks that OpenAI's own client makes of a stream."""
    with (
        _transport(stream) as http,
        openai.OpenAI(api_key="none", http_client=http, max_retries=0) as client,
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
        ) as chunks,
    ):
        return list(chunks)


def _transport(stream: bytes) -> httpx2.Client:
    headers = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=stream))
    )


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
