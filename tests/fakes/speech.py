"""What a stand-in says: the same bytes whenever it is asked the same."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CREATED = 1_767_225_600
"""When every answer was made, in seconds since the epoch: answers can be compared byte for byte."""

KEPT = '"x_stand_in": {"kept": [1, 2.50, "ü"]}'.encode()
"""A field that no client knows, as it stands in every chat answer; decoding and encoding would change it."""

ODD = rb'"x_odd": [1e2, -0.0, 1.50E+3, 12345678901234567890123, "\u00fc", "\/"]'
"""Another one, of everything that JSON allows and most encoders do not write."""

_HEARD_CHARS = 40
_BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Reply:
    """What is answered, whatever API it was asked over."""

    model: str
    """Exactly the model that was asked for."""
    text: str
    id: str
    """16 hexadecimal digits, made of model and text."""
    tokens_in: int

    @property
    def words(self) -> list[str]:
        """The text in pieces that joined are the text again."""
        return re.findall(r"\S+\s*|\s+", self.text)

    @property
    def tokens_out(self) -> int:
        return len(self.words)


def reply(model: str, messages: Iterable[Any]) -> Reply:
    """The answer to a conversation: which model heard what the user said last."""
    turns = [turn for turn in messages if isinstance(turn, dict)]
    asked = [text for turn in turns if turn.get("role") == "user" for text in _texts(turn.get("content"))]
    text = f"{model} heard: {asked[-1][:_HEARD_CHARS] if asked else ''}"
    said = sum(len(text_of(turn.get("content"))) for turn in turns)
    digest = hashlib.sha256(f"{model}\n{text}".encode("utf-8", "replace")).hexdigest()
    return Reply(model, text, digest[:16], said // _BYTES_A_TOKEN + 1)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts."""
    return "\n".join(_texts(content))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return [text for text in texts if isinstance(text, str)]
