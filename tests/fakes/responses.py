"""The Responses API of OpenAI: its answer and its stream, as far as text goes."""

from typing import Any

from tests.fakes import speech
from tests.fakes.speech import CREATED, Reply
from tests.fakes.wire import dumps


def response(request: dict[str, Any]) -> bytes:
    """The whole answer to a request that has a model and an input."""
    return dumps(_response(_reply(request), status="completed"))


def events(request: dict[str, Any]) -> list[bytes]:
    """The streamed answer."""
    reply = _reply(request)
    place = {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": _response(reply, status="in_progress")}),
        ("response.output_item.added", {"output_index": 0, "item": _item(reply, status="in_progress")}),
        ("response.content_part.added", {**place, "part": _part("")}),
        *(("response.output_text.delta", {**place, "delta": word}) for word in reply.words),
        ("response.output_text.done", {**place, "text": reply.text}),
        ("response.content_part.done", {**place, "part": _part(reply.text)}),
        ("response.output_item.done", {"output_index": 0, "item": _item(reply, status="completed")}),
        ("response.completed", {"response": _response(reply, status="completed")}),
    ]
    return [_event(kind, n, fields) for n, (kind, fields) in enumerate(told)]


def _reply(request: dict[str, Any]) -> Reply:
    asked = request["input"]
    return speech.reply(request["model"], [{"role": "user", "content": asked}] if isinstance(asked, str) else asked)


def _response(reply: Reply, *, status: str) -> dict[str, Any]:
    done = status == "completed"
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
        "status": status,
        "error": None,
        "model": reply.model,
        "output": [_item(reply, status=status)] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if done else None,
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
