"""A provider for real coding agents: it has them run two commands, one after the other, then says that all is done.

It speaks the APIs of OpenAI and Anthropic, as far as agents ask. Who brings no shell gets a text: a title, mostly.
"""

import itertools
from typing import Any

from tests.fakes.speech import CREATED
from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request, dumps, error, stream, whole

DELEGATE = "Have an agent"
"""An agent whose prompt begins so is told to have another one run the commands."""
SHELLS = frozenset({"Bash", "bash", "shell", "shell_command", "exec_command"})
CALLS = 2
DONE = "All is done."
_TOKENS = 7

Json = dict[str, Any]


class Agentic(StandIn):
    """Answers by the conversation alone, so that any replica may ask it."""

    def __init__(self) -> None:
        super().__init__()
        self._number = itertools.count(1)

    def respond(self, request: Request) -> Answer:
        """The next call, or the text at the end."""
        path = request.path.partition("?")[0]
        asked = request.json
        if path == "/v1/messages/count_tokens":
            return whole(dumps({"input_tokens": _TOKENS}))
        if path not in _APIS or not isinstance(asked, dict):
            return error(404, f"Invalid URL ({request.method} {request.path})")
        step = _step(asked, next(self._number))
        events, answer = _APIS[path]
        return stream(events(asked["model"], step)) if asked.get("stream") else whole(answer(asked["model"], step))


def _step(asked: Json, number: int) -> Json:
    """A call as `{"id", "name", "input"}`, or a text as `{"id", "text"}`."""
    done = _results(asked.get("messages") or asked.get("input"))
    tools = [tool.get("function") or tool for tool in asked.get("tools") or ()]
    names = {tool.get("name") for tool in tools}
    if "Agent" in names and not done and DELEGATE.encode() in dumps(asked.get("messages")):
        told = {"description": "two commands", "prompt": "Run two commands", "subagent_type": "general-purpose"}
        return {"id": f"{number:08d}", "name": "Agent", "input": told}
    for said in tools:
        if said.get("name") in SHELLS and done < CALLS:
            schema = said.get("parameters") or said.get("input_schema") or {}
            return {"id": f"{number:08d}", "name": said["name"], "input": _arguments(schema, f"echo step-{done + 1}")}
    return {"id": f"{number:08d}", "text": DONE}


def _results(conversation: Any) -> int:
    """How many results of tools a conversation holds, in whichever API."""
    if not isinstance(conversation, list):
        return 0
    blocks = [block for turn in conversation if isinstance(turn.get("content"), list) for block in turn["content"]]
    return sum(
        each.get("role") == "tool" or each.get("type") in {"tool_result", "function_call_output"}
        for each in (*conversation, *blocks)
    )


def _arguments(schema: Json, command: str) -> Json:
    """What the tool requires, a command where it wants one."""
    properties = schema.get("properties") or {}
    wanted = dict.fromkeys(schema.get("required") or ())
    for name in wanted:
        kind = properties.get(name, {}).get("type")
        plain: Any = {"integer": 1, "number": 1, "boolean": False, "array": []}.get(kind, "a step")
        is_command = name in {"command", "cmd"}
        wanted[name] = (["bash", "-lc", command] if kind == "array" else command) if is_command else plain
    return wanted


def _completion(model: str, step: Json, *, kind: str, choice: Json) -> Json:
    usage = {"prompt_tokens": _TOKENS, "completion_tokens": _TOKENS, "total_tokens": 2 * _TOKENS}
    return {
        "id": f"chatcmpl-{step['id']}", "object": kind, "created": CREATED, "model": model,
        "choices": [{"index": 0, **choice}], "usage": usage,
    }  # fmt: skip


def _chat_said(step: Json) -> Json:
    if "text" in step:
        return {"role": "assistant", "content": step["text"]}
    function = {"name": step["name"], "arguments": dumps(step["input"]).decode()}
    call = {"index": 0, "id": f"call_{step['id']}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _chat(model: str, step: Json) -> bytes:
    choice = {"message": _chat_said(step), "finish_reason": "stop" if "text" in step else "tool_calls"}
    return dumps(_completion(model, step, kind="chat.completion", choice=choice))


def _chat_events(model: str, step: Json) -> list[bytes]:
    end = "stop" if "text" in step else "tool_calls"
    choices = ({"delta": _chat_said(step), "finish_reason": None}, {"delta": {}, "finish_reason": end})
    chunks = [_completion(model, step, kind="chat.completion.chunk", choice=choice) for choice in choices]
    return [*(b"data: %b\n\n" % dumps(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _message(model: str, step: Json, content: list[Json], stop: str | None) -> Json:
    usage = {"input_tokens": _TOKENS, "output_tokens": _TOKENS}
    return {
        "id": f"msg_{step['id']}", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _block(step: Json) -> Json:
    if "text" in step:
        return {"type": "text", "text": step["text"]}
    return {"type": "tool_use", "id": f"toolu_{step['id']}", "name": step["name"], "input": step["input"]}


def _messages(model: str, step: Json) -> bytes:
    return dumps(_message(model, step, [_block(step)], "end_turn" if "text" in step else "tool_use"))


def _messages_events(model: str, step: Json) -> list[bytes]:
    text, block = step.get("text"), _block(step)
    begun = {**block, "text": ""} if text else {**block, "input": {}}
    delta = (
        {"type": "text_delta", "text": text}
        if text
        else {"type": "input_json_delta", "partial_json": dumps(step["input"]).decode()}
    )
    end = {"stop_reason": "end_turn" if text else "tool_use", "stop_sequence": None}
    return [
        _event("message_start", message=_message(model, step, [], None)),
        _event("content_block_start", index=0, content_block=begun),
        _event("content_block_delta", index=0, delta=delta),
        _event("content_block_stop", index=0),
        _event("message_delta", delta=end, usage={"output_tokens": _TOKENS}),
        _event("message_stop"),
    ]


def _item(step: Json) -> Json:
    if "text" in step:
        part = {"type": "output_text", "text": step["text"], "annotations": []}
        return {
            "type": "message", "id": f"msg_{step['id']}", "status": "completed", "role": "assistant",
            "content": [part],
        }  # fmt: skip
    return {
        "type": "function_call", "id": f"fc_{step['id']}", "call_id": f"call_{step['id']}", "status": "completed",
        "name": step["name"], "arguments": dumps(step["input"]).decode(),
    }  # fmt: skip


def _response(model: str, step: Json, *, done: bool) -> Json:
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": _TOKENS, "output_tokens": _TOKENS, "total_tokens": 2 * _TOKENS, **details}
    return {
        "id": f"resp_{step['id']}", "object": "response", "created_at": CREATED, "model": model,
        "status": "completed" if done else "in_progress", "output": [_item(step)] if done else [],
        "usage": usage if done else None,
    }  # fmt: skip


def _responses(model: str, step: Json) -> bytes:
    return dumps(_response(model, step, done=True))


def _responses_events(model: str, step: Json) -> list[bytes]:
    item = _item(step)
    more: Json = {"content": []} if "text" in step else {"arguments": ""}
    begun = {**item, "status": "in_progress", **more}
    place = {"item_id": item["id"], "output_index": 0}
    said: list[tuple[str, Json]] = [
        ("response.created", {"response": _response(model, step, done=False)}),
        ("response.output_item.added", {"output_index": 0, "item": begun}),
        ("response.output_text.delta", {**place, "content_index": 0, "delta": step["text"]})
        if "text" in step
        else ("response.function_call_arguments.delta", {**place, "delta": item["arguments"]}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": _response(model, step, done=True)}),
    ]
    return [_event(kind, sequence_number=n, **fields) for n, (kind, fields) in enumerate(said)]


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps({"type": kind, **fields}))


_APIS = {
    "/v1/chat/completions": (_chat_events, _chat),
    "/v1/messages": (_messages_events, _messages),
    "/v1/responses": (_responses_events, _responses),
}
