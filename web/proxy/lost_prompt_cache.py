"""What of a request a model had in its prompt cache when the session left it."""

from collections.abc import Iterator

import msgspec

from shared.domain.decisions import Decision
from shared.domain.money import Usage
from shared.domain.money.accounts import Move
from web.dialects.fields.body import Fields

_CONTEXT = ("system", "instructions", "tools")
"""Fields that a provider reads before the conversation, in any API."""
_OF_CLIENT = "_output"
"""The types of items without a role that the client adds end so, such as `function_call_output`."""


class _Item(msgspec.Struct):
    role: str | None = None
    type: str = ""


_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_item = msgspec.json.Decoder(_Item).decode


def move(decision: Decision, model: str, *, in_session: bool, kept: bool) -> Move | None:
    """Why an answer comes from another model than the one that was warm, and which that was; None when it does not.

    `move`: the pinned model failed; `borrow`: it did, and keeps the pin; `redecision`: the session was decided anew
    while its cache was warm; `outage`: the pin could not be read, and the model that answers may not be the pinned
    one.
    """
    if decision.left and decision.left != model:
        return Move("redecision", decision.left)
    if decision.pinned and model != decision.models[0]:
        return Move("borrow" if kept else "move", decision.models[0])
    if decision.degraded and in_session:
        return Move("outage", model)
    return None


def warm_tokens(usage: Usage, fields: Fields, conversation: str) -> int:
    """An estimate of how many tokens of a request the session had sent before: all but its last turn, by length."""
    taken = usage.input + usage.cached + usage.cache_write_5m + usage.cache_write_1h
    context = sum(len(fields[name]) for name in _CONTEXT if name in fields)
    try:
        items = _items(fields[conversation])
        own = [n for n, item in enumerate(items) if _is_models_own(item)]
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    if not own:
        return 0
    before = next(_beginnings(own))
    sizes = [len(item) for item in items]
    sent = context + sum(sizes[:before])
    return taken * sent // (context + sum(sizes))


def _is_models_own(item: msgspec.Raw) -> bool:
    """Whether a message or another item of the conversation comes from the model."""
    said = _item(item)
    return said.role == "assistant" or (said.role is None and bool(said.type) and not said.type.endswith(_OF_CLIENT))


def _beginnings(own: list[int]) -> Iterator[int]:
    """Where the model's last turn begins; its items stand beside each other."""
    for place in range(len(own) - 1, -1, -1):
        if place == 0 or own[place - 1] != own[place] - 1:
            yield own[place]
