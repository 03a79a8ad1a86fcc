"""Reasoning of a chat provider on its way through a Messages client, which hands it back with the next request.

Text becomes a thinking block with an empty signature. What a provider hangs on a call becomes a redacted block in
front of the call: Gemini 3 signs its thoughts so, and refuses a call's result without the signature.
"""

from typing import Any

import msgspec

from web.translation.checked_fields import Object

MARK = "plano:chat:"
"""How the data of a redacted block of ours begins."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def thinking_block(thoughts: str) -> Object:
    """What a chat provider tells of its reasoning; it signs nothing, and no signature is made up."""
    return {"type": "thinking", "thinking": thoughts, "signature": ""}


def carrier_of(call: Object) -> Object | None:
    """The block that carries what a provider hangs on a call; None when that is nothing."""
    extra = call.get("extra_content")
    return {"type": "redacted_thinking", "data": MARK + _encode(extra).decode()} if extra else None


def carried(block: Object) -> Object:
    """What belongs to the call behind a redacted block, as fields of it; none for a block of another origin."""
    data = block.get("data")
    if not isinstance(data, str) or not data.startswith(MARK):
        return {}
    try:
        return {"extra_content": _decode(data.removeprefix(MARK))}
    except msgspec.DecodeError:
        return {}


def own_text(block: Object) -> str:
    """The text of a thinking block that a chat provider made; some of them want it back within a tool loop."""
    said = block.get("thinking")
    return said if isinstance(said, str) and not block.get("signature") else ""


def without(messages: list[Any]) -> list[Any]:
    """A Messages conversation for Anthropic itself, which refuses reasoning that another provider made.

    The very list where there is none. A message of which nothing is left is left out.
    """
    if not any(map(_holds, messages)):
        return messages
    kept = (
        {**each, "content": [b for b in each["content"] if not _is_foreign(b)]} if _holds(each) else each
        for each in messages
    )
    return [each for each in kept if each.get("content") != []]


def _holds(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(map(_is_foreign, content))


def _is_foreign(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    if block.get("type") == "thinking":
        return not block.get("signature")
    return block.get("type") == "redacted_thinking" and str(block.get("data")).startswith(MARK)
