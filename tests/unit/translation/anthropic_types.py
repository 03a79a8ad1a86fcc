"""What Anthropic's own package says of a request, an answer or a stream: its types, as strictly as they allow."""

import json
from typing import Any

import anthropic
from anthropic.types import Message, MessageCreateParams, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.unit.translation.checking import consume, transport

_messages_request: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
_message_event: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

_SAMPLING = ("temperature", "top_p", "top_k")
"""Taken by older models; the types describe the newest API."""


def check_messages_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of the Messages API, or has a field that it does not know."""
    known = {name: value for name, value in body.items() if name not in _SAMPLING}
    consume(_messages_request.validate_python(known, extra="forbid"))


def check_message(answer: dict[str, Any]) -> None:
    Message.model_validate_json(json.dumps(answer), strict=True)


def check_message_event(event: dict[str, Any]) -> None:
    if event["type"] not in {"ping", "error"}:  # its types leave these two to the transport
        _message_event.validate_json(json.dumps(event), strict=True)


def read_by_anthropic(stream: bytes) -> Message:
    """The message that Anthropic's own client makes of a stream."""
    with (
        transport(stream) as http,
        anthropic.Anthropic(api_key="none", http_client=http, max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}]) as events,
    ):
        return events.get_final_message()
