"""What a provider of each API says, as bytes made once: one answer, and one stream of any length."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

DONE = b"data: [DONE]\n\n"
NEVER = "0" * 19
"""Stands where an event says when it was sent."""
_CREATED = 1_767_225_600
_COMMON = {"id": "chatcmpl-bench", "created": _CREATED, "model": "bench-model", "system_fingerprint": "fp_bench"}
_MESSAGE = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench-model", "stop_sequence": None}
_RESPONSE = {"id": "resp_bench", "object": "response", "created_at": _CREATED, "model": "bench-model", "error": None}
_ITEM = {"type": "message", "id": "msg_bench", "role": "assistant"}
_PLACE = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}


def answer(path: str, content: str) -> bytes:
    """The whole answer at a path that ends in the name of an API; that of chat at any other."""
    said = {"messages": _message, "responses": _response}.get(path.rpartition("/")[2], _completion)
    return encoded(said(content))


def stream(path: str, events: int) -> list[bytes]:
    """A stream with so many pieces of text."""
    said = {"messages": _message_events, "responses": _response_events}.get(path.rpartition("/")[2], _chunks)
    return list(said([f"word{n} " for n in range(events)]))


def encoded(value: Mapping[str, Any]) -> bytes:
    """As JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def _completion(content: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}
    return {**_COMMON, "object": "chat.completion", "choices": [choice], "usage": usage}


def _chunks(words: list[str]) -> Iterator[bytes]:
    for n, word in enumerate(words, 1):
        finish = "stop" if n == len(words) else None
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": finish}
        chunk = {**_COMMON, "object": "chat.completion.chunk", "sent": NEVER, "choices": [choice]}
        yield b"data: %b\n\n" % encoded(chunk)
    yield DONE


def _message(content: str) -> dict[str, Any]:
    usage = {"input_tokens": 20, "output_tokens": 8}
    return {
        **_MESSAGE,
        "content": [{"type": "text", "text": content}],
        "stop_reason": "end_turn",
        "usage": usage,
    }


def _message_events(words: list[str]) -> Iterator[bytes]:
    usage = {"input_tokens": 20, "output_tokens": 1}
    yield _named("message_start", message={**_MESSAGE, "content": [], "stop_reason": None, "usage": usage})
    yield _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in words:
        yield _named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield _named("content_block_stop", index=0)
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _named("message_delta", delta=ended, usage={"output_tokens": len(words)})
    yield _named("message_stop")


def _response(content: str) -> dict[str, Any]:
    usage = {"input_tokens": 20, "output_tokens": 8, "total_tokens": 28}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    item = {**_ITEM, "status": "completed", "content": [_part(content)]}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**_RESPONSE, "status": "completed", "output": [item], "usage": {**usage, **details}, **rest}


def _response_events(words: list[str]) -> Iterator[bytes]:
    whole = _response("".join(words))
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    started = {**_ITEM, "status": "in_progress", "content": []}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": started}),
        ("response.content_part.added", {**_PLACE, "part": _part("")}),
        *(("response.output_text.delta", {**_PLACE, "delta": word, "logprobs": []}) for word in words),
        ("response.output_text.done", {**_PLACE, "text": "".join(words), "logprobs": []}),
        ("response.content_part.done", {**_PLACE, "part": _part("".join(words))}),
        ("response.output_item.done", {"output_index": 0, "item": whole["output"][0]}),
        ("response.completed", {"response": whole}),
    ]
    for number, (kind, fields) in enumerate(told):
        yield _named(kind, sequence_number=number, **fields)


def _part(content: str) -> dict[str, Any]:
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": []}


def _named(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encoded({"type": kind, **fields}))
