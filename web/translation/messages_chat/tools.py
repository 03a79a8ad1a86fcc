"""Tools, the choice among them, and calls of them, both ways."""

from typing import Any

import msgspec

from web.translation.checked_fields import Object, given, mapping, mapping_in, objects, text, text_in
from web.translation.untranslatable import Untranslatable

_EMPTY = {"type": "object", "properties": {}}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_CHOICES_BACK = {chat: ours for ours, chat in _CHOICES.items()}
_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def to_chat(body: Object) -> Object:
    """`tools`, `tool_choice` and `parallel_tool_calls`; raises Untranslatable for tools that Anthropic runs."""
    for server in objects(body.get("mcp_servers") or [], "mcp_servers"):
        raise _server_side(f"MCP server {server.get('name')!r}", "mcp_servers")
    if body.get("container"):
        raise _server_side("container", "container")
    tools = [_chat_tool(tool, f"tools[{n}]") for n, tool in enumerate(objects(body.get("tools") or [], "tools"))]
    if not tools:
        return {}
    choice = mapping(body.get("tool_choice") or {}, "tool_choice")
    parallel = False if choice.get("disable_parallel_tool_use") else None
    return {"tools": tools, **given(tool_choice=_chat_choice(choice), parallel_tool_calls=parallel)}


def _chat_tool(tool: Object, path: str) -> Object:
    name = tool.get("name")
    if tool.get("type") not in (None, "custom"):
        raise _server_side(f"tool {name or tool['type']!r}", path)
    schema = mapping(tool.get("input_schema", _EMPTY), f"{path}.input_schema")
    function = given(name=text(name, f"{path}.name"), description=tool.get("description"), parameters=schema)
    if tool.get("strict") and fits_strict(schema):
        function["strict"] = True
    return {"type": "function", "function": function}


def _server_side(what: str, path: str) -> Untranslatable:
    return Untranslatable(
        f"The {what} is Anthropic's own, and the provider of this model has none like it; leave it out, "
        "or ask for a model whose provider has the Messages API",
        param=path,
    )


def fits_strict(schema: Any) -> bool:
    """Whether OpenAI would take a schema as strict: each object is closed and requires all that it names."""
    if isinstance(schema, list):
        return all(map(fits_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema or schema.get("type") == "object":
        properties, required = schema.get("properties", {}), schema.get("required", [])
        known = isinstance(properties, dict) and isinstance(required, list)
        every = known and all(name in required for name in properties)
        if schema.get("additionalProperties") is not False or not every:
            return False
    return all(map(fits_strict, schema.values()))


def _chat_choice(choice: Object) -> Any:
    if choice.get("type") == "tool":
        return {"type": "function", "function": {"name": text_in(choice, "name", "tool_choice")}}
    return _CHOICES.get(str(choice.get("type")))


def from_chat(body: Object) -> Object:
    """`tools` and `tool_choice` of a Messages request; raises Untranslatable for what the API has no place for."""
    if body.get("functions"):
        raise Untranslatable("functions is the old name of tools; send tools", param="functions")
    if body.get("web_search_options") is not None:
        raise Untranslatable(
            "web_search_options asks for a web search by OpenAI, which the provider of this model does not have",
            param="web_search_options",
        )
    tools = [_message_tool(tool, f"tools[{n}]") for n, tool in enumerate(objects(body.get("tools") or [], "tools"))]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, choice = _allowed(tools, choice)
    if not tools:
        return {}
    chosen = _message_choice(choice)
    if body.get("parallel_tool_calls") is False and (chosen or {}).get("type") != "none":
        chosen = {**(chosen or {"type": "auto"}), "disable_parallel_tool_use": True}
    return {"tools": tools, **given(tool_choice=chosen)}


def _message_tool(tool: Object, path: str) -> Object:
    if tool.get("type", "function") != "function":
        name = mapping(tool.get("custom") or {}, f"{path}.custom").get("name") or tool["type"]
        raise Untranslatable(
            f"The tool {name!r} is of type {tool['type']!r}, which the Messages API does not have; send a function",
            param=path,
        )
    function = mapping(tool.get("function"), f"{path}.function")
    schema = mapping(function.get("parameters") or _EMPTY, f"{path}.function.parameters")
    strict = True if function.get("strict") else None
    return given(
        name=text(function.get("name"), f"{path}.function.name"),
        description=function.get("description"),
        input_schema=schema if "type" in schema else {"type": "object", **schema},
        strict=strict,
        cache_control=tool.get("cache_control") or function.get("cache_control"),
    )


def _allowed(tools: list[Object], choice: Object) -> tuple[list[Object], Any]:
    """The tools that may be called now; the Messages API has no other way to say so than to name only these."""
    allowed = mapping(choice.get("allowed_tools"), "tool_choice.allowed_tools")
    named = objects(allowed.get("tools"), "tool_choice.allowed_tools.tools")
    names = [mapping(each.get("function") or each, "tool_choice.allowed_tools.tools").get("name") for each in named]
    return [tool for tool in tools if tool["name"] in names], allowed.get("mode")


def _message_choice(choice: Any) -> Object | None:
    if isinstance(choice, dict):
        function = mapping(choice.get("function"), "tool_choice.function")
        return {"type": "tool", "name": text(function.get("name"), "tool_choice.function.name")}
    known = _CHOICES_BACK.get(choice) if isinstance(choice, str) else None
    return {"type": known} if known else None


def chat_call(block: Object, path: str) -> Object:
    """A `tool_use` block as an item of `tool_calls`."""
    arguments = _encode(block.get("input") or {}).decode()
    function = {"name": text_in(block, "name", path), "arguments": arguments}
    return {"id": text_in(block, "id", path), "type": "function", "function": function}


def use_block(call: Object, path: str) -> Object:
    """An item of `tool_calls` as a `tool_use` block."""
    if call.get("type", "function") != "function":
        raise Untranslatable(
            f"{path} calls a tool of type {call['type']!r}; the Messages API has functions", param=path
        )
    function = mapping_in(call, "function", path)
    name = function.get("name")
    if not isinstance(name, str):
        text(name, f"{path}.function.name")
    called = arguments_of(function.get("arguments"))
    return {"type": "tool_use", "id": text_in(call, "id", path), "name": name, "input": called}


def arguments_of(said: Any) -> Object:
    """A call's arguments; what a model wrote that is no JSON object is kept as text, for the tool to refuse."""
    if isinstance(said, dict):
        return said
    if not isinstance(said, str) or not said.strip():
        return {}
    try:
        return _decode_object(said)
    except (msgspec.DecodeError, RecursionError):
        return {"arguments": said}
