"""A provider that signs its reasoning, and refuses what it has not signed, as the real ones do."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.provider import Provider
from tests.fakes.wire import Answer, Request, dumps, error, whole


class Signing(Provider):
    """Each of its models reads what it has signed itself: not another model's, and not another provider's."""

    def respond(self, request: Request) -> Answer:
        """The answer with reasoning that is signed; 400 for a conversation that holds another signature."""
        asked = request.json
        for place, signature in _signatures(asked):
            if signature != self.signature(asked["model"]):
                return error(400, f"{place}: Invalid `signature` in `thinking` block")
        answer = super().respond(request)
        if answer.streamed or request.method != "POST":
            return answer
        return whole(dumps(self._signed(json.loads(answer.body))))

    def signature(self, model: str) -> str:
        """What this model signs with."""
        return f"signed-{self.port}-{model}"

    def _signed(self, said: dict[str, Any]) -> dict[str, Any]:
        signature = self.signature(said["model"])
        if said.get("type") == "message":
            said["content"].insert(0, {"type": "thinking", "thinking": "well", "signature": signature})
        elif said.get("object") == "response":
            said["output"].insert(
                0, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": signature}
            )
        else:
            said["choices"][0]["message"]["extra_content"] = {"google": {"thought_signature": signature}}
        return said


def _signatures(asked: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each signature in a conversation of any API, and where it is."""
    turns = asked.get("messages") or asked.get("input") or []
    for n, turn in enumerate(turn for turn in turns if isinstance(turn, dict)):
        if "encrypted_content" in turn:
            yield f"input.{n}", turn["encrypted_content"]
        if "extra_content" in turn:
            yield f"messages.{n}", turn["extra_content"]["google"]["thought_signature"]
        blocks = turn["content"] if isinstance(turn.get("content"), list) else []
        for m, block in enumerate(blocks):
            if block.get("type") == "thinking":
                yield f"messages.{n}.content.{m}", block["signature"]
