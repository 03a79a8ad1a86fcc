"""Tools and the choice among them, both ways."""

from collections.abc import Iterator
from typing import Any

from web.translation.checked_fields import Object, given, mapping, objects, text, text_in
from web.translation.responses_chat.names import Tool, flat_name, tool_of
from web.translation.untranslatable import Untranslatable

_NO_PARAMETERS: Object = {"type": "object", "properties": {}}
_HINTS = {"web_search": ' (in Codex: web_search = "disabled" in config.toml)'}
_MODES = ("auto", "none", "required")


def declared(request: Object) -> Iterator[tuple[str, Object, str | None]]:
    """Every tool of a Responses request that is not a group: its path, itself, the namespace around it.

    Tools also come as items in mid-conversation: `additional_tools`, and what a search for tools found.
    """
    yield from _each(request.get("tools"), "tools")
    items = request.get("input")
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and item.get("type") in ("additional_tools", "tool_search_output"):
            yield from _each(item.get("tools"), f"input[{place}].tools")


def _each(tools: Any, param: str, namespace: str | None = None) -> Iterator[tuple[str, Object, str | None]]:
    for place, tool in enumerate(objects(tools or [], param)):
        path = f"{param}[{place}]"
        if tool.get("type") == "namespace" and namespace is None:
            yield from _each(tool.get("tools"), f"{path}.tools", text_in(tool, "name", path))
        else:
            yield path, tool, namespace


def catalogue(request: Object) -> dict[str, Tool]:
    """The tools that a Responses request declares, by their names in chat."""
    return dict(tool_of(tool, namespace) for _, tool, namespace in declared(request))


def tools_to_chat(request: Object) -> list[Object]:
    """The tools of a Responses request as functions of chat, each once; raises Untranslatable."""
    found: dict[str, Object] = {}
    for param, tool, namespace in declared(request):
        function = _function(tool, namespace, param)
        if function is not None:
            found.setdefault(function["name"], {"type": "function", "function": function})
    return list(found.values())


def _function(tool: Object, namespace: str | None, param: str) -> Object | None:
    match tool.get("type"):
        case "function":
            parameters = tool.get("parameters") or _NO_PARAMETERS
            return _called(tool, namespace, param, parameters) | ({"strict": True} if tool.get("strict") else {})
        case "custom":
            return _called(tool, namespace, param, _one_text(tool, param))
        case "tool_search" if tool.get("execution") == "client":
            parameters = tool.get("parameters") or _NO_PARAMETERS
            return {"name": "tool_search", **given(description=tool.get("description")), "parameters": parameters}
        case "web_search" if tool.get("external_web_access") is False:
            return None  # Codex 0.169 offers it in each request; without it the model only has one tool less
    hint = _HINTS.get(str(tool.get("type")), "")
    raise Untranslatable(f"The provider has no tool {tool.get('type')!r}; leave {param} out{hint}", param=param)


def _called(tool: Object, namespace: str | None, param: str, parameters: Any) -> Object:
    name = flat_name(text_in(tool, "name", param), namespace)
    return {"name": name, **given(description=tool.get("description")), "parameters": parameters}


def _one_text(tool: Object, param: str) -> Object:
    """The parameters of a tool that takes free text: one string, its grammar in the description."""
    form = mapping(tool.get("format") or {}, f"{param}.format")
    says = "The input of the tool, as plain text"
    if form.get("type") == "grammar":
        says += f". It follows this {form.get('syntax')} grammar:\n{form.get('definition')}"
    properties = {"input": {"type": "string", "description": says}}
    return {"type": "object", "properties": properties, "required": ["input"], "additionalProperties": False}


def choice_to_chat(choice: Any, tools: list[Object]) -> tuple[Any, list[Object]]:
    """The choice among tools, and the tools that it allows: chat providers know no list of allowed ones."""
    if choice is None or choice in _MODES:
        return choice, tools
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("function", "custom"):
        return {"type": "function", "function": {"name": _named(choice, tools)}}, tools
    if kind == "allowed_tools" and choice.get("mode") in ("auto", "required"):
        allowed = {_named(tool, tools) for tool in objects(choice.get("tools") or [], "tool_choice.tools")}
        return choice["mode"], [tool for tool in tools if tool["function"]["name"] in allowed]
    raise Untranslatable(f"The provider has no tool {kind or choice!r} to choose", param="tool_choice")


def _named(choice: Object, tools: list[Object]) -> str:
    """The chosen tool's name in chat; one in a namespace is chosen by its own name."""
    name = text_in(choice, "name", "tool_choice")
    names = [tool["function"]["name"] for tool in tools]
    return next((each for each in names if each == name or each.endswith(f"__{name}")), name)


def tools_from_chat(request: Object) -> list[Object]:
    """The tools of a chat request as the Responses API declares them; raises Untranslatable."""
    tools = []
    for place, tool in enumerate(objects(request.get("tools") or [], "tools")):
        param = f"tools[{place}]"
        match tool.get("type"):
            case "function":
                tools.append(_declared_function(mapping(tool.get("function") or {}, f"{param}.function"), param))
            case "custom":
                tools.append(_declared_custom(mapping(tool.get("custom") or {}, f"{param}.custom"), param))
            case other:
                raise Untranslatable(f"{param} is of type {other!r}; send a function", param=param)
    options = request.get("web_search_options")
    return [*tools, _web_search(options)] if isinstance(options, dict) else tools


def _declared_function(function: Object, param: str) -> Object:
    """`strict` is always said: left out it means no in chat, and yes in Responses wherever the schema allows."""
    return {
        "type": "function",
        "name": text(function.get("name"), f"{param}.function.name"),
        **given(description=function.get("description")),
        "parameters": function.get("parameters") or _NO_PARAMETERS,
        "strict": bool(function.get("strict")),
    }


def _declared_custom(custom: Object, param: str) -> Object:
    name = text(custom.get("name"), f"{param}.custom.name")
    tool = {"type": "custom", "name": name, **given(description=custom.get("description"))}
    form = mapping(custom.get("format") or {}, f"{param}.custom.format")
    if form.get("type") == "grammar":
        tool["format"] = {"type": "grammar", **mapping(form.get("grammar") or {}, f"{param}.custom.format.grammar")}
    return tool


def _web_search(options: Object) -> Object:
    tool = {"type": "web_search", **given(search_context_size=options.get("search_context_size"))}
    where = mapping(options.get("user_location") or {}, "web_search_options.user_location")
    place = mapping(where.get("approximate") or {}, "web_search_options.user_location.approximate")
    return {**tool, "user_location": {"type": "approximate", **place}} if place else tool


def choice_from_chat(choice: Any) -> Any:
    """The choice among tools as the Responses API says it; raises Untranslatable."""
    if choice is None or choice in _MODES:
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("function", "custom"):
        return _chosen(choice)
    if kind == "allowed_tools":
        allowed = mapping(choice.get("allowed_tools") or {}, "tool_choice.allowed_tools")
        tools = objects(allowed.get("tools") or [], "tool_choice.allowed_tools.tools")
        return {"type": "allowed_tools", "mode": allowed.get("mode"), "tools": [_chosen(tool) for tool in tools]}
    raise Untranslatable(
        f"tool_choice {kind or choice!r} is not known; send auto, none or required", param="tool_choice"
    )


def _chosen(choice: Object) -> Object:
    kind = "custom" if choice.get("type") == "custom" else "function"
    named = mapping(choice.get(kind) or {}, f"tool_choice.{kind}")
    return {"type": kind, "name": text(named.get("name"), f"tool_choice.{kind}.name")}
