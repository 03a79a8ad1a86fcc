"""Tool calls: which one is made, and with what arguments."""

import json
from dataclasses import dataclass
from typing import Any

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


def call(request: dict[str, Any], *, reply_id: str) -> Call | None:
    """The call that answers a chat request: of its first tool, unless a tool's result has just come."""
    tools = [tool["function"] for tool in request.get("tools") or () if tool.get("type") == "function"]
    last = request["messages"][-1]
    if not tools or request.get("tool_choice") == "none" or last.get("role") == "tool":
        return None
    arguments = _example(tools[0].get("parameters") or {"type": "object"})
    return Call(f"call_{reply_id}", tools[0]["name"], json.dumps(arguments))


def _example(schema: dict[str, Any]) -> Any:
    """A value that fits a JSON schema; of an object only what it requires."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(properties.get(name, {})) for name in schema.get("required", ())}
        case "array":
            return [_example(schema.get("items", {}))]
        case "integer" | "number" if "minimum" in schema:
            return schema["minimum"]
        case str(kind):
            return _PLAUSIBLE.get(kind, "Paris")
    return "Paris"
