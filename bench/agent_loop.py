"""A long conversation of an agent, as a client of each API sends it: 25 tools, and a call of one in each turn."""

import json
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

_READ = 'Look at this:\n\tdef f(x): return "x" + x  # naïve\n' * 40
_CALLED = {"path": "/src/file.py", "why": "to see what it does"}
_SAYS = "I shall read the next file."
_INSTRUCTIONS = "You are a careful engineer. Read each file before you change it."
_ASKED = "Find out why the tests fail, and mend it."
_TOOLS = [
    {
        "name": f"tool_{n}",
        "description": "Reads a file and says what is in it. " * 8,
        "schema": {
            "type": "object",
            "properties": {name: {"type": "string", "description": "of the file"} for name in ("path", "why", "how")},
            "required": ["path"],
        },
    }
    for n in range(25)
]


def request(api: str, model: str, size: int) -> bytes:
    """A request of the API that has as many turns as fit into so many bytes."""
    head, turn, field = _APIS[api]
    body = {"model": model, **head()}
    a_turn, rest = len(encoded(turn(0))) + 8, len(encoded(body))
    turns = max(1, (size - rest) // a_turn)
    body[field] = [*body[field], *(each for n in range(turns) for each in turn(n))]
    return encoded(body)


def encoded(value: Any) -> bytes:
    """As most clients write JSON: text beyond ASCII as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _messages() -> Object:
    tools = [
        {"name": each["name"], "description": each["description"], "input_schema": each["schema"]} for each in _TOOLS
    ]
    asked = [{"role": "user", "content": _ASKED}]
    return {
        "max_tokens": 4096,
        "system": [{"type": "text", "text": _INSTRUCTIONS}],
        "tools": tools,
        "messages": asked,
    }


def _messages_turn(n: int) -> list[Object]:
    call = {"type": "tool_use", "id": f"toolu_{n:06}", "name": "tool_1", "input": _CALLED}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": _READ}
    said = [{"type": "text", "text": _SAYS}, call]
    return [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]


def _chat() -> Object:
    tools = [
        {
            "type": "function",
            "function": {"name": each["name"], "description": each["description"], "parameters": each["schema"]},
        }
        for each in _TOOLS
    ]
    turns = [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": _ASKED}]
    return {"max_completion_tokens": 4096, "tools": tools, "messages": turns}


def _chat_turn(n: int) -> list[Object]:
    function = {"name": "tool_1", "arguments": json.dumps(_CALLED)}
    call = {"id": f"call_{n:06}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": _SAYS, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": _READ},
    ]


def _responses() -> Object:
    tools = [
        {
            "type": "function",
            "name": each["name"],
            "description": each["description"],
            "parameters": each["schema"],
            "strict": False,
        }
        for each in _TOOLS
    ]
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _ASKED}]}
    return {
        "max_output_tokens": 4096,
        "instructions": _INSTRUCTIONS,
        "store": False,
        "tools": tools,
        "input": [asked],
    }


def _responses_turn(n: int) -> list[Object]:
    call_id = f"call_{n:06}"
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": _SAYS}]}
    call = {
        "type": "function_call",
        "call_id": call_id,
        "name": "tool_1",
        "arguments": json.dumps(_CALLED),
    }
    return [said, call, {"type": "function_call_output", "call_id": call_id, "output": _READ}]


_APIS: dict[str, tuple[Callable[[], Object], Callable[[int], list[Object]], str]] = {
    "chat": (_chat, _chat_turn, "messages"),
    "messages": (_messages, _messages_turn, "messages"),
    "responses": (_responses, _responses_turn, "input"),
}
"""Of each API what stands at the beginning, what each turn adds, and the field with the conversation."""
