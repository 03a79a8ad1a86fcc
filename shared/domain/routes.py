"""What a router may choose from: named routes and their candidate models."""

import enum
from collections.abc import Callable, Collection, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.domain.catalog import LONGEST_MODEL, Catalog
from shared.errors import BadRequest

MAX_INLINE_BYTES = 32 * 1024
"""The limit for a request's own routes, which travel through the queue and into the prompt."""
MAX_CONFIG_BYTES = 48 * 1024
"""The limit for the config's, as JSON: a job has room for them and for a conversation of 8 KiB."""

NO_ROUTE = "other"
"""The router's answer when no route fits; no route may have this name."""


class Prefer(enum.StrEnum):
    """What a route's candidates are ranked by."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    NONE = "none"


SOURCE_FOR = {Prefer.CHEAPEST: "cost", Prefer.FASTEST: "latency"}
"""The type of the metric source that a preference needs; the declared order needs none."""


class Route(msgspec.Struct, frozen=True):
    """A kind of request, described for the router, and the models that serve it, best first.

    `models` are qualified names (`provider/model`).
    """

    name: str
    description: str
    models: tuple[str, ...]
    prefer: Prefer = Prefer.NONE


def model_names(catalog: Catalog, routes: Iterable[Route]) -> tuple[str, ...]:
    """The qualified names of all models that the config names: only routes name those of a wildcard."""
    named = (model.name for model in catalog.models)
    routed = (name for route in routes for name in route.models)
    return tuple(dict.fromkeys((*named, *routed)))


class _Policy(msgspec.Struct):
    prefer: str | None = None


class _Preference(msgspec.Struct):
    name: Annotated[str, Meta(max_length=128)]
    description: Annotated[str, Meta(max_length=2000)]
    models: Annotated[list[Annotated[str, Meta(max_length=LONGEST_MODEL)]], Meta(max_length=100)]
    selection_policy: _Policy | None = None


_decode = msgspec.json.Decoder(Annotated[list[_Preference], Meta(max_length=50)]).decode
_FIELD = "routing_preferences"


def from_request(raw: bytes, qualify: Callable[[str], str], sources: Collection[str]) -> tuple[Route, ...] | None:
    """The routes that a request brings along in `routing_preferences`; None when that is null.

    `qualify` turns a model's name into its qualified one or raises UnknownModel. `sources` are the types of the
    metric sources that are configured.
    Raises BadRequest, naming the place, for anything that is not a list of preferences, or beyond the limits.
    """
    if len(raw) > MAX_INLINE_BYTES:
        raise BadRequest(f"{_FIELD} has {len(raw)} bytes; at most {MAX_INLINE_BYTES} are allowed", param=_FIELD)
    if raw.strip() == b"null":
        return None
    try:
        preferences = _decode(raw)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        param = _FIELD + place.removesuffix("`")
        raise BadRequest(f"{param}: {message[:1].lower()}{message[1:]}", param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"{_FIELD} is not JSON: {error}", param=_FIELD) from None
    _refuse_odd_names(preferences)
    routes = tuple(_route(entry, f"{_FIELD}[{n}]", qualify, sources) for n, entry in enumerate(preferences))
    if sum(len(name) for route in routes for name in route.models) > MAX_INLINE_BYTES:  # an alias may be much shorter
        raise BadRequest(f"{_FIELD} names too many models; their full names are too long together", param=_FIELD)
    return routes


def _route(entry: _Preference, place: str, qualify: Callable[[str], str], sources: Collection[str]) -> Route:
    if not entry.models:
        raise BadRequest(f"{place}.models is empty; name at least one model", param=f"{place}.models")
    prefer = (entry.selection_policy and entry.selection_policy.prefer) or Prefer.NONE
    param = f"{place}.selection_policy.prefer"
    if prefer not in list(Prefer):
        raise BadRequest(f"{param} is {prefer!r}; it is one of {', '.join(Prefer)}", param=param)
    if fault := prefer_fault(Prefer(prefer), sources):
        raise BadRequest(f"{param} {fault}", param=param)
    models = []
    for n, name in enumerate(entry.models):
        try:
            models.append(qualify(name))
        except BadRequest as error:
            raise BadRequest(f"{place}.models[{n}]: {error}", param=f"{place}.models[{n}]") from None
    return Route(entry.name, entry.description, tuple(dict.fromkeys(models)), Prefer(prefer))


def _refuse_odd_names(preferences: Iterable[_Preference]) -> None:
    seen: set[str] = set()
    for n, entry in enumerate(preferences):
        fault = name_fault(entry.name, seen)
        if fault:
            raise BadRequest(f"{_FIELD}[{n}].name {fault}", param=f"{_FIELD}[{n}].name")
        seen.add(entry.name)


def name_fault(name: str, taken: Iterable[str]) -> str | None:
    """Why a route cannot have this name, or None."""
    if not name.strip():
        return "is blank; a route needs a name"
    if name == NO_ROUTE:
        return f"is {NO_ROUTE!r}, the router's word for no route; choose another"
    if name in taken:
        return f"{name!r} is there twice; a route's name is unique"
    return None


def prefer_fault(prefer: Prefer, sources: Collection[str]) -> str | None:
    """Why a route cannot prefer this with metric sources of these types, or None."""
    needed = SOURCE_FOR.get(prefer)
    if needed is None or needed in sources:
        return None
    return f"is {prefer}, which needs a source of type {needed}; add one to model_metrics_sources"
