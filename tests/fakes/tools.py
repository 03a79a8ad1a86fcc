"""Tool calls: which ones are made, and with what arguments."""

import json
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes import speech
from tests.fakes.speech import Reply

_SEVERAL = 2
_PLAUSIBLE = {"string": "Paris", "integer": 1, "number": 1.5, "boolean": True, "null": None}


@dataclass(frozen=True)
class Call:
    """One call of a function; its arguments are JSON text, as in the OpenAI API."""

    id: str
    name: str
    arguments: str

    @property
    def pieces(self) -> list[str]:
        """The arguments as they are streamed: a few characters at a time."""
        return [self.arguments[n : n + 8] for n in range(0, len(self.arguments), 8)]


def calls(request: dict[str, Any], *, reply_id: str) -> tuple[Call, ...]:
    """The calls that answer a chat request; none when it is answered with text.

    One tool is called, unless its result has just come. Of several tools each is called once in a conversation, a
    turn for each of them, and the first one twice at once: results in hand, the next one is called.
    """
    tools = [tool["function"] for tool in request.get("tools") or () if tool.get("type") == "function"]
    if not tools or request.get("tool_choice") == "none":
        return ()
    if len(tools) == 1:
        just_came = request["messages"][-1].get("role") == "tool"
        return () if just_came else (_call(tools[0], f"call_{reply_id}"),)
    done = _called(request["messages"])
    tool = next((tool for tool in tools if tool["name"] not in done), None)
    if tool is None:
        return ()
    at_once = 2 if tool is tools[0] else 1
    return tuple(_call(tool, f"call_{reply_id}_{len(done) + n}", n) for n in range(at_once))


def results(request: dict[str, Any]) -> list[tuple[str, str]]:
    """The name of each function that was called in a conversation, with the text that it returned, in that order."""
    names = {call["id"]: call["function"]["name"] for call in _made(request["messages"])}
    return [
        (names[turn["tool_call_id"]], speech.text_of(turn.get("content")))
        for turn in request["messages"]
        if turn.get("role") == "tool" and turn.get("tool_call_id") in names
    ]


def with_results(reply: Reply, request: dict[str, Any]) -> Reply:
    """The reply, which after a conversation over several tools also says what each of them returned."""
    if len(request.get("tools") or ()) < _SEVERAL:
        return reply
    told = [f"\n- {name}: {result}" for name, result in results(request)]
    return replace(reply, text=reply.text + "".join(told))


def _called(messages: list[dict[str, Any]]) -> list[str]:
    return [call["function"]["name"] for call in _made(messages)]


def _made(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    calls = (call for turn in messages if turn.get("role") == "assistant" for call in turn.get("tool_calls") or ())
    return [call for call in calls if call.get("type") == "function"]


def _call(tool: dict[str, Any], call_id: str, nth: int = 0) -> Call:
    arguments = _example(tool.get("parameters") or {"type": "object"}, nth)
    return Call(call_id, tool["name"], json.dumps(arguments))


def _example(schema: dict[str, Any], nth: int = 0) -> Any:
    """A value that fits a JSON schema, the nth of an enumeration; of an object only what it requires."""
    if "enum" in schema:
        return schema["enum"][nth % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(properties.get(name, {}), nth) for name in schema.get("required", ())}
        case "array":
            return [_example(schema.get("items", {}), nth)]
        case "integer" | "number" if "minimum" in schema:
            return schema["minimum"]
        case str(kind):
            return _PLAUSIBLE.get(kind, "Paris")
    return "Paris"
