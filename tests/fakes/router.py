"""A router model: Arch-Router as vLLM or Ollama would serve it."""

import json
import re
from typing import Any, ClassVar

from tests.fakes import chat, speech
from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request, error, whole

NO_ROUTE = "other"

_MIN_CHARS = 4
_PREFIX_CHARS = 5


class Router(StandIn):
    """Picks the route that shares most words with the conversation's last message.

    Words of four letters and more count, by their first five; of equals the first route wins; a message that
    shares none gets `other`.
    """

    settable: ClassVar[frozenset[str]] = StandIn.settable | {"answer"}

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__(port, host)
        self.answer: str | None = None
        """What it says instead of `{"route": …}`, whatever it is asked."""

    def respond(self, request: Request) -> Answer:
        """A chat.completion whose content names the route; 400 for a prompt that is not one for a router."""
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            return error(404, f"{request.method} {request.path} is not there")
        prompt = _prompt(request.json)
        routes, conversation = _listed("routes", prompt), _listed("conversation", prompt)
        if routes is None or not conversation:
            return error(400, "the prompt holds no <routes>[…]</routes> or no <conversation>[…]</conversation>")
        said = self.answer
        if said is None:
            said = json.dumps({"route": self.route(routes, conversation)})
        reply = speech.reply(request.model or "", request.json["messages"])
        return whole(chat.said(reply, {"role": "assistant", "content": said}))

    def route(self, routes: list[dict[str, Any]], conversation: list[dict[str, Any]]) -> str:
        """The name of the route for a conversation."""
        return pick(routes, speech.text_of(conversation[-1].get("content")))


def pick(routes: list[dict[str, Any]], message: str) -> str:
    """The name of the route that fits the message best."""
    heard = _words(message)
    best, most = NO_ROUTE, 0
    for route in routes:
        shared = len(heard & _words(f"{route['name']} {route['description']}"))
        if shared > most:
            best, most = route["name"], shared
    return best


def _words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]+", text.casefold())
    return {word[:_PREFIX_CHARS] for word in words if len(word) >= _MIN_CHARS}


def _prompt(asked: Any) -> str:
    messages = asked.get("messages") if isinstance(asked, dict) else None
    turns = messages if isinstance(messages, list) else ()
    return "\n".join(speech.text_of(turn.get("content")) for turn in turns if isinstance(turn, dict))


def _listed(tag: str, prompt: str) -> list[dict[str, Any]] | None:
    """The first JSON list that follows the tag; the prompt's prose may name the tag as well."""
    for begin in re.finditer(rf"<{tag}>\s*(?=\[)", prompt):
        try:
            value, end = json.JSONDecoder().raw_decode(prompt, begin.end())
        except ValueError:
            continue
        if prompt[end:].lstrip().startswith(f"</{tag}>"):
            return [entry for entry in value if isinstance(entry, dict)]
    return None
