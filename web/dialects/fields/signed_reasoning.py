"""Reasoning in a conversation that only the model that made it can read: it is signed or encrypted."""

from collections.abc import Callable
from typing import Any

import msgspec

_MARKS = {
    "messages": (b'"signature"', b'"redacted_thinking"'),
    "responses": (b'"encrypted_content"',),
    "chat": (b'"thought_signature"',),
}
"""By which a turn is seen to hold such reasoning, perhaps; few turns without it have them."""
_GEMINIS = "thought_signature"
_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder(Any).decode
_encode = msgspec.json.Encoder().encode


def count_turns(conversation: msgspec.Raw) -> int:
    """How many turns a conversation has; 0 when it cannot be read."""
    return len(_read(conversation))


def is_in(api: str, conversation: msgspec.Raw) -> bool:
    """Whether a conversation holds such reasoning."""
    return without(api, conversation) is not None


def is_geminis(conversation: msgspec.Raw) -> bool:
    """Whether it is Gemini's, which travels through other APIs in blocks of this gateway."""
    return _GEMINIS.encode() in bytes(conversation)


def without(api: str, conversation: msgspec.Raw, first: int | None = None) -> msgspec.Raw | None:
    """The conversation without the reasoning in its `first` turns, None: in all; None when there is none.

    A turn that consists of nothing else is left out; all others stay byte for byte as they are.
    """
    marks = _MARKS.get(api)
    if marks is None or not any(mark in bytes(conversation) for mark in marks):
        return None
    turns = _read(conversation)
    kept: list[msgspec.Raw] = []
    changed = False
    for n, turn in enumerate(turns):
        is_meant = (first is None or n < first) and any(mark in bytes(turn) for mark in marks)
        rest = _WITHOUT[api](_decode(turn)) if is_meant else _SAME
        changed = changed or rest is not _SAME
        if rest is _SAME:
            kept.append(turn)
        elif rest is not None:
            kept.append(msgspec.Raw(_encode(rest)))
    return msgspec.Raw(_encode(kept)) if changed else None


_SAME = object()
"""Stands for a turn from which nothing is taken."""


def _read(conversation: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _turns(conversation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []  # its provider will say what is wrong with it


def _message(turn: Any) -> Any:
    """A message of the Messages API without its signed and redacted thinking."""
    content = turn.get("content") if isinstance(turn, dict) else None
    if not isinstance(content, list):
        return _SAME
    kept = [block for block in content if not _is_sealed(block)]
    if len(kept) == len(content):
        return _SAME
    return {**turn, "content": kept} if kept else None


def _is_sealed(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    return block.get("type") == "redacted_thinking" or (
        block.get("type") == "thinking" and bool(block.get("signature"))
    )


def _item(item: Any) -> Any:
    """Nothing for an item of encrypted reasoning of the Responses API."""
    is_sealed = isinstance(item, dict) and item.get("type") == "reasoning" and item.get("encrypted_content")
    return None if is_sealed else _SAME


def _chat_turn(turn: Any) -> Any:
    """A message of chat without the signatures that Gemini hangs on it and on its calls."""
    if not isinstance(turn, dict):
        return _SAME
    calls = turn.get("tool_calls")
    bare_calls = [_bare(call) for call in calls] if isinstance(calls, list) else calls
    bare = _bare(turn if bare_calls == calls else {**turn, "tool_calls": bare_calls})
    return _SAME if bare == turn else bare


def _bare(holder: Any) -> Any:
    """The same without a signature in its extra content."""
    extra = holder.get("extra_content") if isinstance(holder, dict) else None
    googles = extra.get("google") if isinstance(extra, dict) else None
    if extra is None or not isinstance(googles, dict) or _GEMINIS not in googles:
        return holder
    rest = _less(extra, "google", _less(googles, _GEMINIS))
    return _less(holder, "extra_content", rest)


def _less(mapping: dict[str, Any], name: str, rest: dict[str, Any] | None = None) -> dict[str, Any]:
    """The mapping with what is left of one value; without it when nothing is."""
    others = {key: value for key, value in mapping.items() if key != name}
    return {**others, name: rest} if rest else others


_WITHOUT: dict[str, Callable[[Any], Any]] = {"messages": _message, "responses": _item, "chat": _chat_turn}
