"""Whole answers, both ways."""

from typing import Any

from shared.errors import UpstreamFailed
from web.translation.checked_fields import Object
from web.translation.responses_chat import carried_reasoning, response
from web.translation.responses_chat.lenient_fields import dicts, first, said
from web.translation.responses_chat.names import Tool
from web.translation.responses_chat.tools import catalogue
from web.translation.responses_chat.usage import usage_to_chat, usage_to_responses


def answer_from_chat(answer: Object, request: Object) -> Object:
    """A chat completion as a Response to the client's request; raises UpstreamFailed when it is none."""
    choice = first(answer.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UpstreamFailed("The provider's answer is no chat completion")
    stem = response.stem_of(answer.get("id"))
    status, details = response.ending(choice.get("finish_reason"))
    return {
        "id": f"resp_{stem}",
        "object": "response",
        "created_at": response.created(answer),
        **response.echo(request),
        "status": status,
        "error": None,
        "incomplete_details": details,
        "model": str(answer.get("model")),
        "output": _Output(stem, status, catalogue(request)).items(choice, message),
        "usage": usage_to_responses(answer.get("usage")),
    }


class _Output:
    """The output of a response, from the message of a chat completion."""

    def __init__(self, stem: str, status: str, tools: dict[str, Tool]) -> None:
        self._stem, self._status, self._tools = stem, status, tools
        self._items: list[Object] = []

    def items(self, choice: Object, message: Object) -> list[Object]:
        thought = said(message.get("reasoning_content")) or said(message.get("reasoning"))
        if thought:
            self._items.append(carried_reasoning.reasoning(self._id("rs"), thought))
        if text := said(message.get("content")):
            noted = [_annotation_from_chat(each) for each in dicts(message.get("annotations"))]
            self._say(response.text_part(text, [each for each in noted if each], logprobs_of(choice)))
        if refusal := said(message.get("refusal")):
            self._say(response.refusal_part(refusal))
        for made in dicts(message.get("tool_calls")):
            self._call(made)
        return self._items

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._stem}_{len(self._items)}"

    def _say(self, part: Object) -> None:
        self._items.append(response.message(self._id("msg"), part, self._status))

    def _call(self, made: Object) -> None:
        if extra := carried_reasoning.extra_of(made):
            self._items.append(carried_reasoning.carrier(self._id("rs"), extra))
        called = made.get("function")
        called = called if isinstance(called, dict) else {}
        name, item_id = said(called.get("name")), self._id("fc")
        tool = self._tools.get(name, Tool("function", name))
        call_id = said(made.get("id")) or call_id_of(item_id)
        self._items.append(response.call(item_id, call_id, tool, said(called.get("arguments")) or "{}", self._status))


def call_id_of(item_id: str) -> str:
    """An id for a call whose provider gave none."""
    return f"call_{item_id.removeprefix('fc_')}"


def logprobs_of(choice: Object) -> list[Object]:
    """The probabilities of a choice's tokens; both APIs write one the same way."""
    probabilities = choice.get("logprobs")
    return dicts(probabilities.get("content")) if isinstance(probabilities, dict) else []


def _annotation_from_chat(annotation: Object) -> Object | None:
    cited = annotation.get("url_citation")
    return {"type": "url_citation", **cited} if isinstance(cited, dict) else None


def answer_to_chat(answer: Object) -> Object:
    """A Response as a chat completion; raises UpstreamFailed when it is none, or says that it failed."""
    output = answer.get("output")
    if not isinstance(output, list):
        raise UpstreamFailed("The provider's answer is no Response")
    if answer.get("status") in ("failed", "cancelled"):
        error = answer.get("error")
        raise UpstreamFailed(said(error.get("message") if isinstance(error, dict) else None) or "The response failed")
    message = _message(dicts(output))
    probabilities = [each for part in _parts(dicts(output)) for each in dicts(part.get("logprobs"))]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": probabilities, "refusal": None} if probabilities else None,
        "finish_reason": finish_reason(answer, called="tool_calls" in message),
    }
    return {
        "id": completion_id(answer),
        "object": "chat.completion",
        "created": created_at(answer),
        "model": str(answer.get("model")),
        "choices": [choice],
        "usage": usage_to_chat(answer.get("usage")),
    }


def completion_id(answer: Object) -> str:
    """The id of a chat completion, from that of a response."""
    return f"chatcmpl-{said(answer.get('id')).removeprefix('resp_')}"


def created_at(answer: Object) -> int:
    """When a response was made, in whole seconds."""
    moment = answer.get("created_at")
    return int(moment) if isinstance(moment, int | float) else 0


def finish_reason(answer: Object, *, called: bool) -> str:
    """Why a response ended, in chat's words."""
    details = answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return "content_filter"
    if answer.get("status") == "incomplete":
        return "length"
    return "tool_calls" if called else "stop"


def call_to_chat(item: Object) -> Object | None:
    """An item that calls a tool, as one of chat's tool_calls; None when it is another one."""
    called = {"id": said(item.get("call_id"))}
    match item.get("type"):
        case "function_call":
            function = {"name": said(item.get("name")), "arguments": said(item.get("arguments"))}
            return {**called, "type": "function", "function": function}
        case "custom_tool_call":
            custom = {"name": said(item.get("name")), "input": said(item.get("input"))}
            return {**called, "type": "custom", "custom": custom}
    return None


def thought_of(item: Object) -> str:
    """What can be read of an item's reasoning."""
    told = dicts(item.get("summary")) or dicts(item.get("content"))
    return "\n\n".join(said(part.get("text")) for part in told) if item.get("type") == "reasoning" else ""


def _message(output: list[Object]) -> Object:
    messages = [item for item in output if item.get("type") == "message"]
    texts = ["".join(said(part.get("text")) for part in dicts(item.get("content"))) for item in messages]
    refusals = [said(part["refusal"]) for part in _parts(output) if "refusal" in part]
    content = "\n\n".join(text for text in texts if text)
    message: Object = {
        "role": "assistant",
        "content": content or None,
        "refusal": "\n".join(refusals) or None,
        "annotations": [each for part in _parts(output) for each in _annotations_to_chat(part)],
    }
    if thought := "\n\n".join(filter(None, map(thought_of, output))):
        message["reasoning_content"] = thought
    if calls := [call for call in map(call_to_chat, output) if call]:
        message["tool_calls"] = calls
    return message


def _parts(output: list[Object]) -> list[Object]:
    return [part for item in output if item.get("type") == "message" for part in dicts(item.get("content"))]


def _annotations_to_chat(part: Object) -> list[Any]:
    cited = [each for each in dicts(part.get("annotations")) if each.get("type") == "url_citation"]
    return [
        {"type": "url_citation", "url_citation": {k: v for k, v in each.items() if k != "type"}} for each in cited
    ]
