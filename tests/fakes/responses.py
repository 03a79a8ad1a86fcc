"""The Responses API of OpenAI: its answer and its stream, with text and calls of tools."""

from collections.abc import Iterator
from typing import Any

from tests.fakes import speech, tools
from tests.fakes.speech import CREATED, Reply
from tests.fakes.wire import dumps

_Told = tuple[str, dict[str, Any]]


def response(request: dict[str, Any]) -> bytes:
    """The whole answer to a request that has a model and an input."""
    reply, calls = _answer(request)
    return dumps(_response(reply, _items(reply, calls)))


def compaction(request: dict[str, Any]) -> bytes:
    """A conversation made short."""
    reply, _ = _answer(request)
    held = {"type": "compaction", "id": f"cmp_{reply.id}", "encrypted_content": "short"}
    whole = _response(reply, [held])
    return dumps(
        {
            "id": whole["id"],
            "object": "response.compaction",
            "created_at": CREATED,
            "output": [held],
            "usage": whole["usage"],
        }
    )


def kept(response_id: str) -> bytes:
    """A response that was made before."""
    reply = speech.reply("kept", [])
    return dumps({**_response(reply, []), "id": response_id})


def deleted(response_id: str) -> bytes:
    """What is said of a response that is gone."""
    return dumps({"id": response_id, "object": "response", "deleted": True})


def events(request: dict[str, Any]) -> list[bytes]:
    """The streamed answer."""
    reply, calls = _answer(request)
    told: list[_Told] = [
        ("response.created", {"response": _response(reply, None)}),
        *(_calls(reply, calls) if calls else _text(reply)),
        ("response.completed", {"response": _response(reply, _items(reply, calls))}),
    ]
    return [_event(kind, n, fields) for n, (kind, fields) in enumerate(told)]


def _answer(request: dict[str, Any]) -> tuple[Reply, tuple[tools.Call, ...]]:
    """What is said, or which tools are called; a conversation with tools is read as chat has it."""
    asked = request["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    turns = [_turn(item) for item in items]
    wanted = [
        {"type": "function", "function": {"name": tool["name"], "parameters": tool.get("parameters")}}
        for tool in request.get("tools") or ()
        if tool.get("type") == "function"
    ]
    reply = speech.reply(request["model"], turns)
    chat = {"messages": turns, "tools": wanted, "tool_choice": request.get("tool_choice")}
    return tools.with_results(reply, chat), tools.calls(chat, reply_id=reply.id)


def _turn(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("type") == "function_call":
        call = {"name": item["name"], "arguments": item["arguments"]}
        made = {"id": item["call_id"], "type": "function", "function": call}
        return {"role": "assistant", "content": None, "tool_calls": [made]}
    if item.get("type") == "function_call_output":
        return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    return item


def _text(reply: Reply) -> Iterator[_Told]:
    place = {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}
    yield "response.output_item.added", {"output_index": 0, "item": _item(reply, status="in_progress")}
    yield "response.content_part.added", {**place, "part": _part("")}
    for word in reply.words:
        yield "response.output_text.delta", {**place, "delta": word, "logprobs": []}
    yield "response.output_text.done", {**place, "text": reply.text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": _part(reply.text)}
    yield "response.output_item.done", {"output_index": 0, "item": _item(reply, status="completed")}


def _calls(reply: Reply, calls: tuple[tools.Call, ...]) -> Iterator[_Told]:
    for n, call in enumerate(calls):
        item = _call(reply, n, call)
        place = {"item_id": item["id"], "output_index": n}
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield "response.output_item.added", {"output_index": n, "item": begun}
        for piece in call.pieces:
            yield "response.function_call_arguments.delta", {**place, "delta": piece}
        done = {**place, "arguments": call.arguments, "name": call.name}
        yield "response.function_call_arguments.done", done
        yield "response.output_item.done", {"output_index": n, "item": item}


def _items(reply: Reply, calls: tuple[tools.Call, ...]) -> list[dict[str, Any]]:
    return [_call(reply, n, call) for n, call in enumerate(calls)] or [_item(reply, status="completed")]


def _call(reply: Reply, n: int, call: tools.Call) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{reply.id}_{n}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _response(reply: Reply, output: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The response with its output; None while it is made."""
    usage = {
        "input_tokens": reply.tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.tokens_in + reply.tokens_out,
    }
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress" if output is None else "completed",
        "error": None,
        "model": reply.model,
        "output": output or [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None if output is None else usage,
    }


def _item(reply: Reply, *, status: str) -> dict[str, Any]:
    content = [_part(reply.text)] if status == "completed" else []
    return {
        "type": "message",
        "id": f"msg_{reply.id}",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _event(kind: str, number: int, fields: dict[str, Any]) -> bytes:
    data = dumps({"type": kind, "sequence_number": number, **fields})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
