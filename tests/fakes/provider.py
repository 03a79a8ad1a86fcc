"""A provider of models: the APIs of OpenAI, and the Messages API of Anthropic."""

from collections.abc import Callable
from typing import Any

from tests.fakes import chat, messages, responses
from tests.fakes.speech import CREATED
from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request, dumps, error, stream, whole

_MODELS = ("gpt-4o-mini", "gpt-5.2", "claude-sonnet-4-20250514")

_Api = tuple[str, Callable[[dict[str, Any]], bytes], Callable[[dict[str, Any]], list[bytes]]]


class Provider(StandIn):
    """Answers any model in its own name, which makes visible who was asked what.

    The same question gets the same bytes, so that what a gateway made of them can be compared.
    """

    def respond(self, request: Request) -> Answer:
        """The answer, whole or streamed, or the error that OpenAI would answer."""
        path = request.path.partition("?")[0]
        if (request.method, path) == ("GET", "/v1/models"):
            return _signed(whole(_models()))
        if request.method != "POST" or path not in _APIS:
            return error(404, f"Invalid URL ({request.method} {request.path})")
        field, answer, events = _APIS[path]
        asked = request.json
        if not isinstance(asked, dict):
            return error(400, "We could not parse the JSON body of your request.")
        if request.model is None:
            return error(400, "you must provide a model parameter")
        if not _is_conversation(asked.get(field)):
            return error(400, f"Missing required parameter: '{field}'.", code="missing_required_parameter")
        return _signed(stream(events(asked)) if asked.get("stream") else whole(answer(asked)))


_APIS: dict[str, _Api] = {
    "/v1/chat/completions": ("messages", chat.completion, chat.chunks),
    "/v1/messages": ("messages", messages.message, messages.events),
    "/v1/responses": ("input", responses.response, responses.events),
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
