"""The list of models as each kind of client expects it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.domain.catalog import Model
from shared.errors import BadRequest

_CREATED, _CREATED_AT = 0, "1970-01-01T00:00:00Z"
"""Both APIs want a time; a configured model has none that means anything."""
_PAGE, _LONGEST_PAGE = 20, 1000  # as Anthropic's API has them

Query = Mapping[str, str]
Json = dict[str, Any]


def page_for(headers: Mapping[str, str], query: Query) -> Callable[[Sequence[Model], Query], Json]:
    """Who asks, told by headers and query, and so the shape of the list."""
    if "client_version" in query:
        return codex_page
    return anthropic_page if is_anthropic(headers) else openai_list


def is_anthropic(headers: Mapping[str, str]) -> bool:
    """Whether a client of the Messages API asks."""
    return "anthropic-version" in headers or "x-api-key" in headers


def openai_list(models: Sequence[Model], _: Query) -> Json:
    """`{"object": "list", "data": […]}`: all of them."""
    return {"object": "list", "data": [openai_entry(model) for model in models]}


def openai_entry(model: Model) -> Json:
    """One model for a client of OpenAI's APIs."""
    return {"id": model.name, "object": "model", "created": _CREATED, "owned_by": model.provider.name}


def anthropic_page(models: Sequence[Model], query: Query) -> Json:
    """As many as `limit` asks for, after `after_id` or before `before_id`; raises BadRequest."""
    limit = _limit(query.get("limit", ""))
    start = _place(models, query, "after_id")
    end = _place(models, query, "before_id")
    left = models[0 if start is None else start + 1 : end]
    backwards = end is not None and start is None
    page = left[-limit:] if backwards else left[:limit]
    return {
        "data": [anthropic_entry(model) for model in page],
        "has_more": len(page) < len(left),
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }


def anthropic_entry(model: Model) -> Json:
    """One model for a client of the Messages API."""
    return {"type": "model", "id": model.name, "display_name": model.name, "created_at": _CREATED_AT}


def codex_page(_models: Sequence[Model], _: Query) -> Json:
    """No model at all, and so Codex goes by what it knows of them itself.

    An entry of this list replaces what Codex knows: its instructions for the model, above all, which nobody but its
    authors can write. It uses a model that is not listed with the instructions that it has for all others.
    """
    return {"models": []}


def _limit(said: str) -> int:
    if not said:
        return _PAGE
    if not (said.isascii() and said.isdecimal() and 1 <= int(said[:5]) <= _LONGEST_PAGE):
        raise BadRequest(f"limit is no number from 1 to {_LONGEST_PAGE}", param="limit")
    return int(said)


def _place(models: Sequence[Model], query: Query, name: str) -> int | None:
    """Where in the list the model is that the query names; None when it names none."""
    said = query.get(name)
    if not said:
        return None
    place = next((n for n, model in enumerate(models) if model.name == said), None)
    if place is None:
        raise BadRequest(f"{name} names no model of this list", param=name)
    return place
