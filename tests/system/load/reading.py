"""What an answer says: who answered, whether a pin decided, and whether it is the answer to this very request."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from tests.system.load.connection import Answer
from tests.system.load.record import Turn

_END = b"data: [DONE]\n\n"
_TEXT = re.compile(r"(?P<model>\S+) heard: (?P<asked>.*)")
"""What the stand-in provider says: its text names the model that it was asked for, whatever is made of its fields."""
_SAID_CHARS = 200


def heard(answer: Answer, turn: Turn, *, asked: str, streamed: bool) -> Turn:
    """The turn with what its answer says; `asked` is the text that was sent."""
    if answer.status != 200:
        return replace(turn, fault=f"{answer.status} {_shortened(answer.body)}")
    turn = replace(
        turn,
        pinned=answer.headers.get("x-plano-pinned") == "true",
        degraded=answer.headers.get("x-plano-degraded"),
    )
    try:
        text = "".join(_pieces(answer.body)) if streamed else _whole(answer.body)
    except (ValueError, KeyError, IndexError, TypeError) as fault:
        return replace(turn, fault=f"{fault!r} in {_shortened(answer.body)}")
    said = _TEXT.fullmatch(text)
    if not said or said["asked"] != asked:
        return replace(turn, fault=f"asked {asked!r}, was answered {text!r}")
    named = answer.headers.get("x-plano-model", "")
    if named.partition("/")[2] != said["model"]:
        return replace(turn, fault=f"{said['model']} answered, and x-plano-model is {named!r}")
    return replace(turn, model=said["model"])


def _whole(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def _pieces(body: bytes) -> Iterator[str]:
    """The text of a stream, piece by piece; raises ValueError when the stream has not come to its end."""
    if not body.endswith(_END):
        raise ValueError("the stream broke off")
    for line in body.removesuffix(_END).splitlines():
        if line.startswith(b"data: "):
            for choice in json.loads(line.removeprefix(b"data: "))["choices"]:
                yield choice["delta"].get("content", "")


def _shortened(body: bytes) -> str:
    return body[-_SAID_CHARS:].decode(errors="replace")
