"""The Messages API of Anthropic: its answer and its stream, with text and calls of tools."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes import speech, tools
from tests.fakes.speech import Reply
from tests.fakes.wire import dumps


def message(request: dict[str, Any]) -> bytes:
    """The whole answer to a request that has a model and messages."""
    reply, calls = _answer(request)
    content = [_use(call, json.loads(call.arguments)) for call in calls] or [{"type": "text", "text": reply.text}]
    return dumps(_message(reply, content, stop=_stop(calls), tokens_out=reply.tokens_out))


def events(request: dict[str, Any]) -> list[bytes]:
    """The streamed answer."""
    reply, calls = _answer(request)
    return [
        _event("message_start", message=_message(reply, [], stop=None, tokens_out=1)),
        _event("ping"),
        *(_calls(calls) if calls else _text(reply)),
        _event(
            "message_delta",
            delta={"stop_reason": _stop(calls), "stop_sequence": None},
            usage={"output_tokens": reply.tokens_out},
        ),
        _event("message_stop"),
    ]


def counted(request: dict[str, Any]) -> bytes:
    """How many tokens a request has."""
    return dumps({"input_tokens": speech.reply(request["model"], request["messages"]).tokens_in})


def _answer(request: dict[str, Any]) -> tuple[Reply, tuple[tools.Call, ...]]:
    """What is said, or which tools are called; a conversation with tools is read as chat has it."""
    turns = [turn for each in request["messages"] for turn in _turns(each)]
    wanted = [
        {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}}
        for tool in request.get("tools") or ()
        if "input_schema" in tool
    ]
    choice = (request.get("tool_choice") or {}).get("type")
    reply = speech.reply(request["model"], turns)
    asked = {"messages": turns, "tools": wanted, "tool_choice": choice}
    return tools.with_results(reply, asked), tools.calls(asked, reply_id=reply.id)


def _turns(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = turn.get("content")
    blocks = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    results = [each for each in blocks if each.get("type") == "tool_result"]
    uses = [each for each in blocks if each.get("type") == "tool_use"]
    for each in results:
        yield {"role": "tool", "tool_call_id": each["tool_use_id"], "content": each.get("content")}
    if uses:
        made = [
            {"id": each["id"], "type": "function", "function": {"name": each["name"], "arguments": "{}"}}
            for each in uses
        ]
        yield {"role": "assistant", "content": None, "tool_calls": made}
    elif not results:
        yield turn
    elif said := [each for each in blocks if each.get("type") == "text"]:  # chat has it as a turn of its own
        yield {"role": "user", "content": said}


def _stop(calls: tuple[tools.Call, ...]) -> str:
    return "tool_use" if calls else "end_turn"


def _use(call: tools.Call, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _text(reply: Reply) -> Iterator[bytes]:
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in reply.words:
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield _event("content_block_stop", index=0)


def _calls(calls: tuple[tools.Call, ...]) -> Iterator[bytes]:
    for n, call in enumerate(calls):
        yield _event("content_block_start", index=n, content_block=_use(call, {}))
        for piece in call.pieces:
            yield _event("content_block_delta", index=n, delta={"type": "input_json_delta", "partial_json": piece})
        yield _event("content_block_stop", index=n)


def _message(reply: Reply, content: list[Any], *, stop: str | None, tokens_out: int) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": reply.tokens_in, "output_tokens": tokens_out},
    }


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps({"type": kind, **fields}))
