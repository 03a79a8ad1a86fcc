"""The prompt for the router model: the routes, the conversation, and how to answer."""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Self

import msgspec

from shared.domain.conversation import MAX_TOKENS, Message, cut, estimate
from shared.domain.routes import Route
from shared.errors import ConfigError

ROUTES = "{routes}"
CONVERSATION = "{conversation}"

_LEAST_TOKENS = 256  # the conversation gets so many, however long the routes are
_PLACEHOLDER = re.compile(r"(\{routes\}|\{conversation\})")
_OUR_TAG = re.compile(r"<(?=/?(?:routes|conversation)\b)", re.IGNORECASE)


class Prompt:
    """A text with two places: one for the routes, one for the conversation."""

    def __init__(self, text: str) -> None:
        self._parts = _PLACEHOLDER.split(text)

    @classmethod
    def load(cls, path: str | None = None) -> Self:
        """The operator's own prompt, or ours; raises ConfigError for a file that cannot serve as one."""
        if path is None:
            return cls(resources.files(__package__).joinpath("prompt.txt").read_text("utf-8"))
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigError([f"routing.router.prompt_file: cannot read {path}: {reason}"]) from None
        missing = [place for place in (ROUTES, CONVERSATION) if place not in text]
        if missing:
            raise ConfigError([f"routing.router.prompt_file: {path} has no {place}" for place in missing])
        return cls(text)

    def render(self, routes: Sequence[Route], messages: Sequence[Message]) -> str:
        """The prompt for this conversation, cut so that all of it stays within 2048 tokens.

        However much room the routes take, at least a part of the newest message is in it.
        """
        named = _json([{"name": route.name, "description": route.description} for route in routes])
        room = MAX_TOKENS - estimate(self._filled(named, ""))
        return self._filled(named, _fitting(messages, room))

    def _filled(self, routes: str, conversation: str) -> str:
        """The text with both places filled at once, so that neither value is searched for the other's place."""
        values = {ROUTES: routes, CONVERSATION: conversation}
        return "".join(values.get(part, part) for part in self._parts)


def _fitting(messages: Sequence[Message], room: int) -> str:
    """The newest messages as JSON that fits. Quotes and escapes count, too, so the JSON itself is measured."""
    tokens = max(room, _LEAST_TOKENS)
    while True:
        text = _json([{"role": turn.role, "content": turn.content} for turn in cut(messages, tokens)])
        size = estimate(text)
        if size <= room or tokens <= _LEAST_TOKENS:
            return text
        tokens = max(tokens * room // size, _LEAST_TOKENS)


def _json(value: Any) -> str:
    """Compact JSON without any of our tags: in them `<` is escaped, and the value stays the same."""
    return _OUR_TAG.sub(r"\\u003c", _encoded(value).decode())


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape but UTF-8 cannot hold
        return msgspec.json.encode([{key: _whole(text) for key, text in entry.items()} for entry in value])


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
