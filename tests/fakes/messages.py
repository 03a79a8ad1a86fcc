"""The Messages API of Anthropic: its answer and its stream, as far as text goes."""

from typing import Any

from tests.fakes import speech
from tests.fakes.speech import Reply
from tests.fakes.wire import dumps


def message(request: dict[str, Any]) -> bytes:
    """The whole answer to a request that has a model and messages."""
    reply = speech.reply(request["model"], request["messages"])
    content = [{"type": "text", "text": reply.text}]
    return dumps(_message(reply, content, stop="end_turn", tokens_out=reply.tokens_out))


def events(request: dict[str, Any]) -> list[bytes]:
    """The streamed answer."""
    reply = speech.reply(request["model"], request["messages"])
    text = {"type": "text", "text": ""}
    deltas = ({"type": "text_delta", "text": word} for word in reply.words)
    return [
        _event("message_start", message=_message(reply, [], stop=None, tokens_out=1)),
        _event("content_block_start", index=0, content_block=text),
        _event("ping"),
        *(_event("content_block_delta", index=0, delta=delta) for delta in deltas),
        _event("content_block_stop", index=0),
        _event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": reply.tokens_out},
        ),
        _event("message_stop"),
    ]


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
