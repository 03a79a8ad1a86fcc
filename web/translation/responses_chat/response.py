"""A Response of the Responses API: what stands around its output, and the items of it."""

from time import time
from typing import Any
from uuid import uuid4

import msgspec

from web.translation.checked_fields import Object
from web.translation.responses_chat.names import Tool

_ECHOED: Object = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What an answer repeats of its request, with what stands there when the request does not say."""
_UNIQUE = 16
"""Characters from which on an id is taken to be unlike any other; Ollama's are `chatcmpl-` and three digits."""
_ENDINGS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def echo(request: Object) -> Object:
    """What an answer repeats of its request; it says of itself that it is not stored."""
    said = {name: default if request.get(name) is None else request[name] for name, default in _ECHOED.items()}
    return {**said, "store": False}


def stem_of(answer_id: Any) -> str:
    """What the ids of a response and of its items have in common, from the id of a chat completion."""
    stem = answer_id.removeprefix("chatcmpl-") if isinstance(answer_id, str) else ""
    return stem if len(stem) >= _UNIQUE else f"{stem}{uuid4().hex}"


def created(answer: Object) -> int:
    """When an answer was made, in seconds; now, where it does not say."""
    said = answer.get("created")
    return said if isinstance(said, int) else int(time())


def ending(finish_reason: Any) -> tuple[str, Object | None]:
    """`status` and `incomplete_details` of a response."""
    reason = _ENDINGS.get(str(finish_reason))
    return ("incomplete", {"reason": reason}) if reason else ("completed", None)


def message(item_id: str, part: Object, status: str) -> Object:
    """A message with one part of content."""
    return {"type": "message", "id": item_id, "status": status, "role": "assistant", "content": [part]}


def text_part(text: str, annotations: list[Object], logprobs: list[Object]) -> Object:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def refusal_part(refusal: str) -> Object:
    return {"type": "refusal", "refusal": refusal}


def call(item_id: str, call_id: str, tool: Tool, arguments: str, status: str) -> Object:
    """A call of a tool as its declaration asks for."""
    named = {"call_id": call_id, "name": tool.name, **({"namespace": tool.namespace} if tool.namespace else {})}
    match tool.kind:
        case "custom":
            return {"type": "custom_tool_call", "id": item_id, **named, "input": free_text(arguments)}
        case "tool_search":
            searched = {"call_id": call_id, "execution": "client", "arguments": _decoded(arguments), "status": status}
            return {"type": "tool_search_call", "id": item_id, **searched}
    return {"type": "function_call", "id": item_id, **named, "arguments": arguments, "status": status}


def free_text(arguments: str) -> str:
    """The text in `{"input": …}`; all of it where a model did not keep to that."""
    said = _decoded(arguments).get("input")
    return said if isinstance(said, str) else arguments


def _decoded(arguments: str) -> Object:
    try:
        found = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
