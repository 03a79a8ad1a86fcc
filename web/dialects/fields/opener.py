"""How a conversation began, which stays the same in all of its requests, whatever API they are in."""

import msgspec

from web.dialects.fields.body import Fields

_INSTRUCTIONS = ("system", "instructions")
"""Fields in which an API takes instructions beside its conversation."""
_OF_SYSTEM = frozenset({"system", "developer"})
_OF_MODEL = frozenset({"assistant", "reasoning", "function_call", "custom_tool_call"})
"""Roles of turns that a model has said, or types of Responses' items."""
_NULL = msgspec.Raw(b"null")


class Opener(msgspec.Struct, frozen=True):
    """The instructions, the names of the tools and the user's first words."""

    instructions: str
    tools: tuple[str, ...]
    first: str
    goes_on: bool
    """Whether a model has answered before: the conversation has an earlier turn of one."""


class _Part(msgspec.Struct):
    text: str = ""


class _Turn(msgspec.Struct):
    role: str = ""
    type: str = ""
    content: str | list[_Part] | None = None


class _Kind(msgspec.Struct):
    role: str = ""
    type: str = ""


class _Named(msgspec.Struct):
    name: str = ""


class _Tool(msgspec.Struct):
    name: str = ""
    type: str = ""
    function: _Named | None = None


_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_turn = msgspec.json.Decoder(_Turn).decode
_kind = msgspec.json.Decoder(_Kind).decode
_tools = msgspec.json.Decoder(list[_Tool] | None).decode
_text = msgspec.json.Decoder(str | list[_Part] | None).decode


def read(fields: Fields, conversation: msgspec.Raw) -> Opener | None:
    """How the conversation began; None when it cannot be read, or holds no text of a user's."""
    try:
        said = [_joined(_text(fields[name])) for name in _INSTRUCTIONS if name in fields]
        turns = iter(_turns(conversation))
        first = ""
        for turn in turns:
            kind = _kind(turn)
            if kind.role in _OF_SYSTEM:
                said.append(_joined(_turn(turn).content))
            elif kind.role == "user":
                first = _joined(_turn(turn).content)
            if kind.role not in _OF_SYSTEM:
                break
        if not first.strip():
            return None
        goes_on = any({kind.role, kind.type} & _OF_MODEL for kind in map(_kind, turns))
        return Opener("\n".join(said), _names(fields.get("tools", _NULL)), first, goes_on)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _names(tools: msgspec.Raw) -> tuple[str, ...]:
    """The names of the tools; a tool that a provider runs has its type in place of one."""
    found = _tools(tools) or ()
    return tuple(tool.function.name if tool.function else tool.name or tool.type for tool in found)


def _joined(content: str | list[_Part] | None) -> str:
    return content if isinstance(content, str) else "\n".join(part.text for part in content or ())
