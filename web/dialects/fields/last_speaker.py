"""Who has spoken last in a conversation: its user, or a tool."""

import msgspec

_OF_SYSTEM = frozenset({"system", "developer"})
_OF_TOOL = frozenset({"tool", "function"})


class _Block(msgspec.Struct):
    type: str = ""


class _Turn(msgspec.Struct):
    role: str = ""
    type: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_turn = msgspec.json.Decoder(_Turn).decode
_blocks = msgspec.json.Decoder(list[_Block] | str | None).decode


def is_result(conversation: msgspec.Raw) -> bool:
    """Whether a tool's result is the last turn, or stands in it; instructions behind it do not count."""
    last = _last(conversation)
    if last is None:
        return False
    return last.role in _OF_TOOL or last.type.endswith("_output") or "tool_result" in _types(last)


def is_users(conversation: msgspec.Raw) -> bool:
    """Whether the user has spoken last, and no tool with it."""
    last = _last(conversation)
    return last is not None and last.role == "user" and "tool_result" not in _types(last)


def _last(conversation: msgspec.Raw) -> _Turn | None:
    try:
        turns = map(_turn, reversed(_turns(conversation)))
        return next((turn for turn in turns if turn.role not in _OF_SYSTEM), None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _types(turn: _Turn) -> set[str]:
    """The kinds of blocks in a turn."""
    try:
        content = _blocks(turn.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set()
    return {block.type for block in content} if isinstance(content, list) else set()
