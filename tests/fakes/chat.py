"""The Chat Completions API of OpenAI: its answer and its stream."""

import json
from typing import Any

from tests.fakes import speech, tools
from tests.fakes.speech import CREATED, KEPT, ODD, Reply
from tests.fakes.wire import dumps

# Laid out as the API lays it out; a template, so that the odd fields keep their spelling.
_BODY = b"""{
  "id": "chatcmpl-%(id)b",
  "object": "chat.completion",
  "created": %(created)d,
  "model": %(model)b,
  "choices": [
    {
      "index": 0,
      "message": %(message)b,
      "logprobs": null,
      "finish_reason": %(finish)b
    }
  ],
  "usage": %(usage)b,
  "service_tier": "default",
  "system_fingerprint": "fp_stand_in",
  %(kept)b,
  %(odd)b
}
"""

_CHUNK = (
    b'data: {"id":"chatcmpl-%(id)b","object":"chat.completion.chunk","created":%(created)d,"model":%(model)b,'
    b'"service_tier":"default","system_fingerprint":"fp_stand_in","choices":%(choices)b,%(usage)b'
    b"%(kept)b,%(odd)b}\n\n"
)


def completion(request: dict[str, Any]) -> bytes:
    """The whole answer to a request that has a model and messages."""
    reply = _reply(request)
    calls = tools.calls(request, reply_id=reply.id)
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else reply.text, "refusal": None}
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    message["annotations"] = []
    return said(reply, message, finish="tool_calls" if calls else "stop")


def said(reply: Reply, message: dict[str, Any], *, finish: str = "stop") -> bytes:
    """A chat.completion that holds this message."""
    return _BODY % {
        b"id": reply.id.encode(),
        b"created": CREATED,
        b"model": dumps(reply.model),
        b"message": _indented(message, 6),
        b"finish": dumps(finish),
        b"usage": _indented(_usage(reply), 2),
        b"kept": KEPT,
        b"odd": ODD,
    }


def chunks(request: dict[str, Any]) -> list[bytes]:
    """The streamed answer: role, words or pieces of a call, the end, usage if asked for, `[DONE]`."""
    reply = _reply(request)
    calls = tools.calls(request, reply_id=reply.id)
    counted = bool((request.get("stream_options") or {}).get("include_usage"))
    usage = b'"usage":null,' if counted else b""
    deltas = _call_deltas(calls) if calls else _text_deltas(reply)
    events = [_chunk(reply, [_choice(delta, None)], usage) for delta in deltas]
    events.append(_chunk(reply, [_choice({}, "tool_calls" if calls else "stop")], usage))
    if counted:
        events.append(_chunk(reply, [], b'"usage":%b,' % dumps(_usage(reply))))
    return [*events, b"data: [DONE]\n\n"]


def _reply(request: dict[str, Any]) -> Reply:
    """What is said; after a conversation over several tools also what each of them returned."""
    return tools.with_results(speech.reply(request["model"], request["messages"]), request)


def _text_deltas(reply: Reply) -> list[dict[str, Any]]:
    first = {"role": "assistant", "content": "", "refusal": None}
    return [first, *({"content": word} for word in reply.words)]


def _call_deltas(calls: tuple[tools.Call, ...]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for n, call in enumerate(calls):
        begun = {"index": n, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        deltas += ({"tool_calls": [{"index": n, "function": {"arguments": piece}}]} for piece in call.pieces)
    deltas[0] = {"role": "assistant", "content": None, **deltas[0], "refusal": None}
    return deltas


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(reply: Reply, choices: list[dict[str, Any]], usage: bytes) -> bytes:
    return _CHUNK % {
        b"id": reply.id.encode(),
        b"created": CREATED,
        b"model": dumps(reply.model),
        b"choices": dumps(choices),
        b"usage": usage,
        b"kept": KEPT,
        b"odd": ODD,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.tokens_in,
        "completion_tokens": reply.tokens_out,
        "total_tokens": reply.tokens_in + reply.tokens_out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _indented(value: dict[str, Any], by: int) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n" + " " * by)
    return text.encode("utf-8", "replace")
