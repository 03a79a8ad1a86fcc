"""What OpenAI's own package says of a request, an answer or a stream: its types, as strictly as they allow."""

import json
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter

from tests.unit.translation.checking import consume, transport, without

_chat_request: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
_responses_request: TypeAdapter[Any] = TypeAdapter(ResponseCreateParams)
_responses_event: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_OF_CHAT_PROVIDERS = ("reasoning_content", "extra_content")
"""Fields of chat messages that OpenAI's types lack, and other providers need."""
ON_THE_WAY = ("file_url",)
"""A field that never leaves the gateway in a chat request: it goes on from Responses to Messages."""


def check_chat_request(body: dict[str, Any], on_the_way: tuple[str, ...] = ()) -> None:
    """Raises when the request is none of Chat Completions, or has a field that it does not know.

    `on_the_way` are fields that it may have, too.
    """
    consume(_chat_request.validate_python(without(body, _OF_CHAT_PROVIDERS + on_the_way), extra="forbid"))


def check_responses_request(body: dict[str, Any]) -> None:
    """Raises when the request is none of the Responses API, or has a field that it does not know.

    What an assistant said needs no id and no status at OpenAI; its types differ.
    """
    items = [{"id": "msg_1", "status": "completed", **item} if _is_said(item) else item for item in body["input"]]
    consume(_responses_request.validate_python({**body, "input": items}, extra="forbid"))


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


def _is_said(item: dict[str, Any]) -> bool:
    return item.get("role") == "assistant" and isinstance(item["content"], list)


def read_by_openai(stream: bytes) -> list[ChatCompletionChunk]:
    """The chunks that OpenAI's own client makes of a stream."""
    with (
        transport(stream) as http,
        openai.OpenAI(api_key="none", http_client=http, max_retries=0) as client,
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
        ) as chunks,
    ):
        return list(chunks)
