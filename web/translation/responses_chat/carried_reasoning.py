"""Reasoning of a chat provider on its way through a Responses client, which hands it back with the next request.

Its text is the summary of a reasoning item. What a provider hangs on a call, such as Gemini's signature of a thought,
without which it refuses the call's result, is the encrypted content of such an item in front of the call.
"""

from typing import Any

import msgspec

from web.translation.checked_fields import Object

MARK = "plano:chat:"
"""How the encrypted content of a reasoning item of ours begins."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def reasoning(item_id: str, thoughts: str) -> Object:
    """What a chat provider tells of its reasoning, as a summary: that is what clients show."""
    return {**carrier(item_id, {}), "summary": [{"type": "summary_text", "text": thoughts}]}


def carrier(item_id: str, extra: Object) -> Object:
    """The item that carries what a provider hangs on a call."""
    return {"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": MARK + _encode(extra).decode()}


def extra_of(call: Object) -> Object | None:
    """What a provider hangs on a call, or on a piece of one; None when that is nothing."""
    extra = call.get("extra_content")
    return extra if extra and isinstance(extra, dict) else None


def is_foreign(item: Any) -> bool:
    """Whether an item is reasoning that a chat provider made, and this gateway marked."""
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    content = item.get("encrypted_content")
    return isinstance(content, str) and content.startswith(MARK)


def carried(item: Object) -> Object:
    """What a reasoning item of ours carries for the call behind it, as fields of that call."""
    try:
        extra = _decode(item["encrypted_content"].removeprefix(MARK))
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {"extra_content": extra} if extra else {}


def without(items: Any) -> Any:
    """The input of a request for OpenAI itself, which refuses reasoning that another provider made.

    The very value where there is none.
    """
    if not isinstance(items, list) or not any(map(is_foreign, items)):
        return items
    return [item for item in items if not is_foreign(item)]
