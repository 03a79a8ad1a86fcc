"""Requests, both ways."""

from typing import Any

from web.translation.capabilities import Features
from web.translation.checked_fields import Object, given, mapping
from web.translation.responses_chat.input_to_messages import messages_of
from web.translation.responses_chat.messages_to_input import conversation_of
from web.translation.responses_chat.tools import choice_from_chat, choice_to_chat, tools_from_chat, tools_to_chat
from web.translation.untranslatable import Untranslatable

_BOTH = ("model", "stream", "temperature", "top_p", "user")
"""Fields of the same name and meaning that every provider of chat knows."""
_OPENAI = (
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
)
"""Fields of the same name and meaning that OpenAI alone knows; others refuse what they do not know."""
_NOWHERE_TO_CHAT = ("previous_response_id", "conversation", "prompt", "background", "moderation")
_NOWHERE_FROM_CHAT = ("stop", "audio", "functions", "function_call")
_LEAST_OUTPUT = 16
"""OpenAI refuses a smaller max_output_tokens; clients send 1 to see whether they are let in."""
_LOGPROBS = "message.output_text.logprobs"


def to_chat(body: Object, features: Features) -> Object:
    """A Responses request as one of chat; raises BadRequest where chat cannot say the same."""
    _refuse(body, _NOWHERE_TO_CHAT, "this provider keeps nothing of that kind; send the whole conversation in input")
    chat = given(**{name: body.get(name) for name in _BOTH})
    if "user" not in chat and body.get("safety_identifier"):
        chat["user"] = body["safety_identifier"]
    chat["messages"] = messages_of(body, features)
    if body.get("max_output_tokens") is not None:
        chat[features.max_tokens_field] = body["max_output_tokens"]
    if body.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat | _tools_to_chat(body) | _how_to_chat(body, features) | _logprobs_to_chat(body)


def _tools_to_chat(body: Object) -> Object:
    """Without tools nothing else of them is said: providers refuse a choice among none."""
    choice, tools = choice_to_chat(body.get("tool_choice"), tools_to_chat(body))
    if not tools:
        return {}
    return {"tools": tools, **given(tool_choice=choice, parallel_tool_calls=body.get("parallel_tool_calls"))}


def _how_to_chat(body: Object, features: Features) -> Object:
    """How much the model thinks, and the form of what it says; the last update among the input's items counts."""
    effort = mapping(body.get("reasoning") or {}, "reasoning").get("effort")
    form = mapping(body.get("text") or {}, "text").get("format")
    items = body.get("input")
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if item.get("type") == "configuration_update":
            effort = mapping(item.get("reasoning") or {}, f"input[{place}].reasoning").get("effort") or effort
            form = mapping(item.get("text") or {}, f"input[{place}].text").get("format") or form
    return given(reasoning_effort=effort if features.effort else None, response_format=_format_to_chat(form))


def _format_to_chat(form: Any) -> Object | None:
    if form is None or mapping(form, "text.format").get("type") == "text":
        return None
    if form.get("type") == "json_schema":
        return {"type": "json_schema", "json_schema": {name: form[name] for name in form if name != "type"}}
    return {"type": form.get("type")}


def _logprobs_to_chat(body: Object) -> Object:
    asked = body.get("top_logprobs")
    included = body.get("include")
    if asked or (isinstance(included, list) and _LOGPROBS in included):
        return {"logprobs": True, **given(top_logprobs=asked)}
    return {}


def from_chat(body: Object, features: Features) -> Object:
    """A chat request as one of the Responses API; raises BadRequest where that cannot say the same."""
    _refuse(body, _NOWHERE_FROM_CHAT, "the Responses API has nothing of that kind; leave it out")
    if body.get("n") not in (None, 1):
        raise Untranslatable("n is not 1; the Responses API makes one answer to a request", param="n")
    responses = given(**{name: body.get(name) for name in (*_BOTH, *_OPENAI)})
    responses |= conversation_of(body)
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(most, int):
        responses["max_output_tokens"] = max(most, _LEAST_OUTPUT)
    responses["store"] = body.get("store") is True  # chat keeps nothing unless it is asked to, Responses does
    return responses | _tools_from_chat(body) | _how_from_chat(body, features) | _logprobs_from_chat(body)


def _tools_from_chat(body: Object) -> Object:
    tools = tools_from_chat(body)
    if not tools:
        return {}
    choice = choice_from_chat(body.get("tool_choice"))
    return {"tools": tools, **given(tool_choice=choice, parallel_tool_calls=body.get("parallel_tool_calls"))}


def _how_from_chat(body: Object, features: Features) -> Object:
    effort = body.get("reasoning_effort") if features.effort else None
    said = given(format=_format_from_chat(body.get("response_format")), verbosity=body.get("verbosity"))
    return given(reasoning={"effort": effort} if effort else None, text=said or None)


def _format_from_chat(form: Any) -> Object | None:
    if form is None or mapping(form, "response_format").get("type") == "text":
        return None
    if form.get("type") == "json_schema":
        return {"type": "json_schema", **mapping(form.get("json_schema"), "response_format.json_schema")}
    return {"type": form.get("type")}


def _logprobs_from_chat(body: Object) -> Object:
    return {"include": [_LOGPROBS], **given(top_logprobs=body.get("top_logprobs"))} if body.get("logprobs") else {}


def _refuse(body: Object, names: tuple[str, ...], instead: str) -> None:
    for name in names:
        if body.get(name):
            raise Untranslatable(f"{name} cannot be passed on: {instead}", param=name)
