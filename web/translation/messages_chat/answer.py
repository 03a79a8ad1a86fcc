"""Whole answers: a message as a chat completion, and back; and why each of them ended."""

import time
from typing import Any

from shared.errors import BadRequest, UpstreamFailed
from web.translation.checked_fields import Object, given
from web.translation.messages_chat import tools, usage
from web.translation.messages_chat.carried_reasoning import carrier_of, thinking_block
from web.translation.messages_chat.parts import text_part

MALFORMED = (BadRequest, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading an answer raises that is not of its API's shape."""
_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOPS = {"length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use", "content_filter": "refusal"}


def finish_of(stop_reason: Any) -> str:
    """Chat's `finish_reason` for a message's `stop_reason`."""
    return _FINISHES.get(str(stop_reason), "stop")


def stop_of(choice: Object, *, called: bool) -> Object:
    """`stop_reason` and `stop_sequence` for a choice that has ended; some providers end calls with a plain `stop`.

    Chat does not say which sequence was hit; vLLM and those like it do, as `stop_reason` of the choice.
    """
    finish, hit = choice.get("finish_reason"), choice.get("stop_reason")
    reason = _STOPS.get(str(finish), "tool_use" if called else "end_turn")
    if reason == "end_turn" and isinstance(hit, str):
        return {"stop_reason": "stop_sequence", "stop_sequence": hit}
    return {"stop_reason": reason, "stop_sequence": None}


def refused(explanation: str) -> Object:
    """The end of a message whose model refused."""
    details = {"type": "refusal", "category": None, "explanation": explanation}
    return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}


def chat_id(message_id: Any) -> str:
    """A message's id as chat spells its own."""
    return "chatcmpl-" + str(message_id or "").removeprefix("msg_")


def message_id(completion_id: Any) -> str:
    """A completion's id as the Messages API spells its own."""
    return "msg_" + str(completion_id or "").removeprefix("chatcmpl-")


def explanation_of(answer: Object) -> str | None:
    """Why a model refused, where a message or the end of its stream says so."""
    details = answer.get("stop_details")
    said = details.get("explanation") if isinstance(details, dict) else None
    return said if isinstance(said, str) else None


def answer_to_chat(answer: Object) -> Object:
    """A message of the Messages API as a chat completion; raises UpstreamFailed when it is none."""
    try:
        return _completion(answer)
    except MALFORMED:
        raise UpstreamFailed("The provider's answer is no message of the Messages API") from None


def _completion(answer: Object) -> Object:
    choice = {
        "index": 0,
        "message": _chat_message(answer["content"], explanation_of(answer)),
        "logprobs": None,
        "finish_reason": finish_of(answer.get("stop_reason")),
        **given(stop_reason=answer.get("stop_sequence")),
    }
    return {
        "id": chat_id(answer.get("id")),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.get("model"),
        "choices": [choice],
        "usage": usage.to_chat(answer.get("usage") or {}),
    }


def _chat_message(content: list[Object], refusal: str | None) -> Object:
    texts = "".join(block["text"] for block in content if block["type"] == "text")
    thoughts = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    calls = [tools.chat_call(block, "content") for block in content if block["type"] == "tool_use"]
    said = None if texts == refusal else texts or None
    message = {"role": "assistant", "content": said, "refusal": refusal}
    return message | given(reasoning_content=thoughts or None, tool_calls=calls or None)


def answer_from_chat(answer: Object, request: Object) -> Object:  # noqa: ARG001 - as in each pair of APIs
    """A chat completion as a message of the Messages API; raises UpstreamFailed when it is none."""
    try:
        return _message(answer)
    except MALFORMED:
        raise UpstreamFailed("The provider's answer is no chat completion") from None


def _message(answer: Object) -> Object:
    choice = answer["choices"][0]
    said = choice["message"]
    own_id = message_id(answer.get("id"))
    content = _message_content(said, own_id)
    called = any(block["type"] == "tool_use" for block in content)
    refusal = said.get("refusal")
    return {
        "id": own_id,
        "type": "message",
        "role": "assistant",
        "model": answer.get("model"),
        "content": content,
        **(refused(refusal) if refusal else stop_of(choice, called=called)),
        "usage": usage.from_chat(answer.get("usage")),
    }


def _message_content(said: Object, own_id: str) -> list[Object]:
    thoughts = said.get("reasoning_content") or said.get("reasoning")
    texts = (text_of(said.get("content")), said.get("refusal"))
    blocks = [thinking_block(thoughts)] if isinstance(thoughts, str) else []
    blocks += (text_part(each) for each in texts if each)
    for n, call in enumerate(said.get("tool_calls") or ()):
        carrier = carrier_of(call)
        named = {**call, "id": call.get("id") or made_id(own_id, n)}
        blocks += [*([carrier] if carrier else []), tools.use_block(named, "tool_calls")]
    return blocks


def made_id(own_id: str, nth: int) -> str:
    """The id of a call for a provider that names none: the client needs one to answer with."""
    return f"toolu_{own_id.removeprefix('msg_')}_{nth}"


def text_of(content: Any) -> str | None:
    """The text of an answer, which some providers give in parts; None when there is none."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content if isinstance(content, str) else None
