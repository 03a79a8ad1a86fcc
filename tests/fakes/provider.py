"""A provider of models: the APIs of OpenAI, and the Messages API of Anthropic."""

import re
from collections.abc import Callable
from typing import Any

from tests.fakes import chat, messages, responses, speech
from tests.fakes.speech import CREATED
from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request, dumps, error, stream, whole

_MODELS = ("gpt-4o-mini", "gpt-5.2", "claude-sonnet-4-20250514")

_Whole = Callable[[dict[str, Any]], bytes]
_Events = Callable[[dict[str, Any]], list[bytes]]
_Api = tuple[str, _Whole, _Events]


class Provider(StandIn):
    """Answers any model in its own name, which makes visible who was asked what.

    The same question gets the same bytes, so that what a gateway made of them can be compared.
    """

    def respond(self, request: Request) -> Answer:
        """The answer, whole or streamed, or the error that OpenAI would answer."""
        path = request.path.partition("?")[0]
        if (request.method, path) == ("GET", "/v1/models"):
            return _signed(whole(_models()))
        if request.method == "POST" and path in _APIS:
            return self._answered(request, *_APIS[path])
        kept = _KEPT.fullmatch(path)
        if kept:
            made = responses.deleted if request.method == "DELETE" else responses.kept
            return _signed(whole(made(kept[1])))
        return error(404, f"Invalid URL ({request.method} {request.path})")

    @staticmethod
    def _answered(request: Request, field: str, answer: "_Whole", events: "_Events") -> Answer:
        asked = request.json
        if not isinstance(asked, dict):
            return error(400, "We could not parse the JSON body of your request.")
        if request.model is None:
            return error(400, "you must provide a model parameter")
        if not _is_conversation(asked.get(field)):
            return error(400, f"Missing required parameter: '{field}'.", code="missing_required_parameter")
        return _signed(stream(events(asked)) if asked.get("stream") else whole(answer(asked)))


_KEPT = re.compile(r"/v1/responses/([^/]+)(?:/cancel)?")


def _no_stream(_: dict[str, Any]) -> list[bytes]:
    return []


def _vectors(asked: dict[str, Any]) -> bytes:
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return dumps({"object": "list", "data": [vector], "model": asked["model"], "usage": usage})


def _completion(asked: dict[str, Any]) -> bytes:
    reply = speech.reply(asked["model"], [{"role": "user", "content": asked["prompt"]}])
    choice = {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": "stop"}
    told = {"id": f"cmpl-{reply.id}", "object": "text_completion", "created": CREATED, "model": reply.model}
    return dumps({**told, "choices": [choice]})


_APIS: dict[str, _Api] = {
    "/v1/chat/completions": ("messages", chat.completion, chat.chunks),
    "/v1/messages": ("messages", messages.message, messages.events),
    "/v1/messages/count_tokens": ("messages", messages.counted, _no_stream),
    "/v1/responses": ("input", responses.response, responses.events),
    "/v1/responses/compact": ("input", responses.compaction, _no_stream),
    "/v1/embeddings": ("input", _vectors, _no_stream),
    "/v1/completions": ("prompt", _completion, _no_stream),
}


def _is_conversation(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) for turn in value)


def _signed(answer: Answer) -> Answer:
    """With the headers of a provider, its own request id among them."""
    return answer.plus(("openai-version", "2020-10-01"), ("x-request-id", "req_stand_in"))


def _models() -> bytes:
    entries = [{"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"} for name in _MODELS]
    return dumps({"object": "list", "data": entries})
