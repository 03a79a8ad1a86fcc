"""A Messages request as a chat request."""

from typing import Any

from shared.errors import BadRequest
from web.translation.capabilities import Features
from web.translation.checked_fields import Object, given, mapping, objects, text, text_in
from web.translation.messages_chat import carried_reasoning, tools
from web.translation.messages_chat.parts import blocks_of, chat_parts, content_of, text_part
from web.translation.messages_chat.reasoning import chat_format, effort_of
from web.translation.untranslatable import Untranslatable

ERROR_LINE = "Error:\n"
"""How a tool's result begins that is an error: chat has no field for it, and a model reads this as one."""

_COPIED = ("model", "temperature", "top_p")
_ATTRIBUTION = "x-anthropic-billing-header"
"""How the first system block of Claude Code begins, which is meant for Anthropic and not for a model."""
_LONGEST_USER = 64
"""OpenAI refuses a longer `user`; Claude Code's is longer, and names a device and not only a person."""
_SEE_BELOW = "See the next user message."


def to_chat(body: Object, features: Features) -> Object:
    """The chat request; raises BadRequest, and Untranslatable for what chat has no counterpart for."""
    try:
        return _translated(body, features)
    except RecursionError:
        raise BadRequest("The body is nested too deeply", param="messages") from None


def _translated(body: Object, features: Features) -> Object:
    chat = {name: body[name] for name in _COPIED if name in body}
    chat["messages"] = [*_system(body.get("system")), *_conversation(body, features)]
    chat[features.max_tokens_field] = _max_tokens(body)
    chat |= tools.to_chat(body)
    chat |= chat_format(body)
    chat |= given(stop=body.get("stop_sequences") or None, user=_user(body))
    if features.effort:
        chat |= given(reasoning_effort=effort_of(body))
    if body.get("stream"):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _max_tokens(body: Object) -> int:
    said = body.get("max_tokens")
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        raise BadRequest(
            "max_tokens is missing, or no positive number; the Messages API needs it", param="max_tokens"
        )
    return said


def _user(body: Object) -> str | None:
    said = mapping(body.get("metadata") or {}, "metadata").get("user_id")
    return said if isinstance(said, str) and 0 < len(said) <= _LONGEST_USER else None


def _system(system: Any) -> list[Object]:
    blocks = [] if system is None else blocks_of(system, "system")
    if blocks and _is_attribution(str(blocks[0].get("text"))):
        blocks = blocks[1:]
    return [_system_message(blocks, "system")] if blocks else []


def _is_attribution(said: str) -> bool:
    return said.startswith(_ATTRIBUTION) and "\n" not in said.strip()


def _system_message(blocks: list[Object], path: str) -> Object:
    texts = [text_part(text(block.get("text"), f"{path}[{n}].text")) for n, block in enumerate(blocks)]
    return {"role": "system", "content": content_of(texts)}


def _conversation(body: Object, features: Features) -> list[Object]:
    messages: list[Object] = []
    for n, message in enumerate(objects(body.get("messages"), "messages")):
        path = f"messages[{n}].content"
        blocks = blocks_of(message.get("content"), path)
        match message.get("role"):
            case "user":
                messages += _user_turn(blocks, path, features)
            case "assistant":
                messages += _assistant_turn(blocks, path, features)
            case "system":
                messages.append(_system_message(blocks, path))
            case role:
                raise BadRequest(
                    f"messages[{n}].role is {role!r}, not user or assistant", param=f"messages[{n}].role"
                )
    return messages


def _user_turn(blocks: list[Object], path: str, features: Features) -> list[Object]:
    """A tool message for each result, then what else the turn holds as one user message."""
    results: list[Object] = []
    shown: list[Object] = []
    parts: list[Object] = []
    for n, block in enumerate(blocks):
        where = f"{path}[{n}]"
        if block.get("type") == "tool_result":
            result, media = _tool_message(block, where, features)
            results.append(result)
            shown += media
        else:
            parts += chat_parts(block, where, features)
    parts = shown + parts
    return [*results, {"role": "user", "content": content_of(parts)}] if parts or not results else results


def _tool_message(block: Object, path: str, features: Features) -> tuple[Object, list[Object]]:
    """The tool message, which takes text only, and the parts that have to follow it in a user message."""
    call_id, content = text_in(block, "tool_use_id", path), block.get("content")
    if isinstance(content, str) and not block.get("is_error"):
        return {"role": "tool", "tool_call_id": call_id, "content": content}, []
    inner = blocks_of(content, f"{path}.content", nullable=True)
    parts = [part for n, each in enumerate(inner) for part in chat_parts(each, f"{path}.content[{n}]", features)]
    texts = [part for part in parts if part["type"] == "text"]
    media = [part for part in parts if part["type"] != "text"]
    if media:
        media.insert(0, text_part(f"Result of the tool call {call_id}:"))
        texts = texts or [text_part(_SEE_BELOW)]
    if block.get("is_error"):
        texts = [text_part(ERROR_LINE + (texts[0]["text"] if texts else "")), *texts[1:]]
    return {"role": "tool", "tool_call_id": call_id, "content": content_of(texts)}, media


def _assistant_turn(blocks: list[Object], path: str, features: Features) -> list[Object]:
    """One message, or none where nothing of it is left."""
    said, thoughts = "", ""
    calls: list[Object] = []
    carried: Object = {}
    for n, block in enumerate(blocks):
        where = f"{path}[{n}]"
        match block.get("type"):
            case "text":
                said += text_in(block, "text", where)
            case "tool_use":
                calls.append(tools.chat_call(block, where) | carried)
                carried = {}
            case "thinking":
                thoughts += carried_reasoning.own_text(block)
            case "redacted_thinking":
                carried = carried_reasoning.carried(block)
            case kind:
                raise _only_anthropic(kind, where)
    if not said and not calls:
        return []
    message: Object = {"role": "assistant", "content": said or None}
    if thoughts and features.reasoning_content:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = calls
    return [message]


def _only_anthropic(kind: Any, path: str) -> Untranslatable:
    return Untranslatable(
        f"{path} is a block of type {kind!r} of an answer, which only a provider with the Messages API understands; "
        "begin a new conversation, or ask for a model of such a provider",
        param=path,
    )
