"""How much a model may think, and the format that it must answer in, both ways."""

from typing import Any

from web.translation.capabilities import Features
from web.translation.checked_fields import Object, given, mapping
from web.translation.messages_chat.tools import fits_strict
from web.translation.untranslatable import Untranslatable

FORMAT_NAME = "answer"
"""The name of a format in chat, which needs one; the Messages API has none."""

_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}
"""Tokens an effort; Google's own table for its chat API, which leaves `xhigh` and `max` open."""
_EFFORTS = ((4096, "low"), (16384, "medium"))
"""A budget below this is that effort; a larger one is `high`."""
_LEAST_BUDGET = 1024
_ROOM = 1024
"""Tokens that a budget leaves for the answer itself."""


def effort_of(body: Object) -> str | None:
    """`reasoning_effort` for a Messages request.

    Thinking that is off says nothing: many chat models refuse the effort `none`.
    """
    thinking = mapping(body.get("thinking") or {}, "thinking")
    if thinking.get("type") == "disabled":
        return None
    said = mapping(body.get("output_config") or {}, "output_config").get("effort")
    budget = thinking.get("budget_tokens")
    if said is not None or not isinstance(budget, int):
        return said
    return next((effort for limit, effort in _EFFORTS if budget < limit), "high")


def thinking_of(effort: Any, request: Object, features: Features) -> Object:
    """`thinking` and `output_config.effort` for a chat request's effort; `request` is the Messages request so far.

    The effort `none` is what a model does unasked, or else the least effort: some cannot be kept from thinking.
    """
    if effort is None:
        return {}
    if effort == "none":
        return {"output_config": {"effort": "low"}} if features.thinks_unasked else {}
    if features.thinking == "budget":
        return _budget(str(effort), request)
    said = {"output_config": {"effort": "low" if effort == "minimal" else effort}}
    return said if _forced(request) else {"thinking": {"type": "adaptive"}, **said}


def _budget(effort: str, request: Object) -> Object:
    """No thinking where the API would refuse it: a forced tool, or a tool loop whose own thinking is not at hand."""
    budget = min(_BUDGETS.get(effort, _BUDGETS["high"]), request["max_tokens"] - _ROOM)
    if budget < _LEAST_BUDGET or _forced(request) or _in_tool_loop(request["messages"]):
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _forced(request: Object) -> bool:
    return (request.get("tool_choice") or {}).get("type") in ("any", "tool")


def _in_tool_loop(messages: list[Object]) -> bool:
    content = messages[-1]["content"] if messages else []
    return any(block["type"] == "tool_result" for block in content)


def chat_format(body: Object) -> Object:
    """`response_format` for `output_config.format`."""
    wanted = mapping(body.get("output_config") or {}, "output_config").get("format")
    if wanted is None:
        return {}
    schema = mapping(wanted, "output_config.format").get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
        raise Untranslatable(
            "output_config.format is no JSON schema, which is all that chat takes", param="output_config.format"
        )
    described = {"name": FORMAT_NAME, "schema": schema, **({"strict": True} if fits_strict(schema) else {})}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def message_format(body: Object) -> Object:
    """`format` within `output_config`, for `response_format`."""
    wanted = mapping(body.get("response_format") or {}, "response_format")
    if wanted.get("type") in (None, "text"):
        return {}
    if wanted["type"] != "json_schema":
        raise Untranslatable(
            f"response_format {wanted['type']!r} has no counterpart in the Messages API; send a json_schema",
            param="response_format",
        )
    described = mapping(wanted.get("json_schema"), "response_format.json_schema")
    schema = mapping(described.get("schema"), "response_format.json_schema.schema")
    return {"format": given(type="json_schema", schema=schema)}
