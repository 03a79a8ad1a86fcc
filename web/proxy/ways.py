"""How a candidate is asked: in the client's own API where its provider speaks it, else in another one."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from shared.domain.catalog import Catalog, Model
from shared.domain.decisions import Decision, RouteRequest
from shared.domain.pins import UNKNOWN_TURNS
from shared.domain.routes import Prefer, Route
from shared.errors import BadRequest
from web.dialects.by_path import BY_NAME
from web.dialects.dialect import AnswerReader, Dialect
from web.dialects.fields import body, signed_reasoning
from web.dialects.fields.body import Fields, Pieces
from web.dialects.fields.byte_search import holds
from web.translation import messages_chat, pairs
from web.translation.answer_translator import TranslatingReader
from web.translation.untranslatable import Untranslatable

_FOREIGN = {
    "messages": (b'thinking"', b"plano:chat:", b'"signature":""', b'"signature": ""'),
    "responses": (b"plano:chat:", b"reasoning"),
}
"""By which a conversation is seen to hold reasoning that another provider made: the first, and one of the others.

Most conversations lack the first.
"""
_MOST_COMMAS = 500_000
"""Who sends more in what has to be translated sends values without end, which would take all memory."""
_CACHING = "messages"
"""The API in which a client says where its prompt may be cached; the others cache by themselves."""
_MADE_BY_MODELS = frozenset({"", "/compact"})
_TOOLS = "responses"
"""The API in which OpenAI's models take all that a client of the Messages API says of tools and thinking."""
_decode = msgspec.json.Decoder(Any).decode


def _commas(fields: Fields) -> int:
    """How many commas the values hold; 0 where they are too short for as many values as `_MOST_COMMAS`."""
    if sum(map(len, fields.values())) <= 2 * _MOST_COMMAS:
        return 0
    return sum(bytes(value).count(b",") for value in fields.values())


def fitting(request: RouteRequest, asked: "Asked", catalog: Catalog) -> RouteRequest:
    """The request without the candidates that cannot take it; raises BadRequest when none can.

    Where a route is ranked, those whose providers speak the client's API stand first: that counts where the ranking
    ties. The request's own model, if it cannot, is replaced by the first one that can.
    """
    faults: dict[tuple[str, ...], BadRequest | None] = {}

    def fault(model: Model) -> BadRequest | None:
        apis = () if asked.is_spoken_by(model) else asked.targets(model)
        if apis not in faults:
            faults[apis] = asked.fault(model)
        return faults[apis]

    def ordered(route: Route) -> Route:
        able = [model for model in map(catalog.get, route.models) if fault(model) is None]
        if route.prefer is not Prefer.NONE:
            able.sort(key=asked.is_spoken_by, reverse=True)
        return msgspec.structs.replace(route, models=tuple(model.name for model in able))

    routes = tuple(route for route in map(ordered, request.routes) if route.models)
    own = fault(request.model)
    if own is None:
        return msgspec.structs.replace(request, routes=routes)
    if not routes:
        raise own
    return msgspec.structs.replace(request, routes=routes, model=catalog.get(routes[0].models[0]))


class Way(msgspec.Struct, frozen=True):
    """One request as a candidate's provider gets it."""

    dialect: Dialect
    """The API that the provider is asked in."""
    body: Pieces
    reader: AnswerReader
    translated: str | None = None
    """From which API to which, such as `messages>chat`."""


class Asked:
    """A client's request, which may be needed in several APIs; it is decoded once at most."""

    def __init__(
        self,
        dialect: Dialect,
        fields: Fields,
        sent: bytes,
        *,
        suffix: str = "",
        method: str = "POST",
        noted: Callable[[str, str], None] | None = None,
    ) -> None:
        """`sent` is the body that the fields are of.

        `suffix` names something below the API's path that is asked for; without POST there is no body.
        `noted` is told the model and the id of an answer that its provider keeps.
        """
        self.dialect = dialect
        self.fields = fields
        self.suffix = suffix
        self.method = method
        self._sent = sent
        self._noted = noted
        self._whole: dict[str, Any] | None = None

    def way(
        self, model: Model, model_name: str | None, *, pinned: bool, request_id: str, told: Mapping[str, str]
    ) -> Way:
        """How this model is asked, and its answer read.

        With `model_name` None the answer keeps the provider's name. A conversation has the fields of `told` besides
        its own. Raises BadRequest, and Untranslatable when the provider's APIs have no counterpart for something in
        the request.
        """
        dialect = self.dialect
        cached = self._cached(model)
        if cached is None and self.is_spoken_by(model):
            noted = partial(self._noted, model.name) if self._noted else None
            reader = dialect.reader(model_name, pinned=pinned, noted=noted)
            fields = self.fields
            if told and fields and not self.suffix and dialect.name in BY_NAME:
                fields = {**{name: msgspec.Raw(body.encode(value)) for name, value in told.items()}, **fields}
            if self._may_hold_foreign(self._sent):
                fields = {**fields, **self._native()}
            return Way(dialect, dialect.upstream_body(fields, model) if fields else (), reader)
        source = dialect.name
        target, translated = self._translated(model) if cached is None else (_CACHING, cached)
        reader = TranslatingReader(target, source, self.decoded(), model_name, pinned=pinned, request_id=request_id)
        return Way(BY_NAME[target], (body.encode({**told, **translated}),), reader, f"{source}>{target}")

    def without_reasoning(self, first: int | None = None) -> "Asked":
        """The same without what only the model that made it can read, in the first turns or in all.

        The very object where there is none.
        """
        field = self.dialect.conversation_field
        rest = (
            signed_reasoning.without(self.dialect.name, self.fields[field], first) if field in self.fields else None
        )
        if rest is None:
            return self
        fields = {**self.fields, field: rest}
        return Asked(self.dialect, fields, self._sent, suffix=self.suffix, method=self.method, noted=self._noted)

    @property
    def is_of_model(self) -> bool:
        """Whether a model makes the answer; to count tokens, or to show an answer once more, costs nothing."""
        return self.method == "POST" and self.suffix in _MADE_BY_MODELS

    def is_spoken_by(self, model: Model) -> bool:
        """Whether the model's provider speaks the client's API."""
        name = self.dialect.name
        return name in model.provider.apis or name not in BY_NAME

    def targets(self, model: Model) -> tuple[str, ...]:
        """The APIs that the request is translated to for the model's provider, in the order in which they are tried.

        OpenAI's models from gpt-5.4 on refuse functions together with an effort in chat: Responses takes both.
        """
        apis = model.provider.apis
        if self.dialect.name == "messages" and "tools" in self.fields and _TOOLS in apis:
            return tuple(dict.fromkeys((_TOOLS, *apis)))
        return apis[:1]

    def fault(self, model: Model) -> BadRequest | None:
        """Why the model cannot take this request; None when it can."""
        if self.is_spoken_by(model):
            return None
        try:
            self._translated(model)
        except BadRequest as fault:
            return fault
        return None

    def _cached(self, model: Model) -> dict[str, Any] | None:
        """A chat request as its provider caches the prompt of: in the Messages API, where that is its best one.

        None where there is nothing to gain by it, and where chat says something that the other API cannot, or has a
        field that only the provider can know, such as `thinking`. Anthropic ignores `cache_control` in chat, and says
        so in its page about compatibility with OpenAI's SDK.
        """
        provider = model.provider
        is_better = provider.prompt_caching and provider.apis[0] == _CACHING and not provider.passthrough_auth
        is_spoken = self.dialect.name == pairs.CHAT and self.is_spoken_by(model)
        if not is_better or not is_spoken or not messages_chat.KNOWN.issuperset(self.fields):
            return None
        try:
            return self._in(_CACHING, model)
        except BadRequest:
            return None

    def _translated(self, model: Model) -> tuple[str, dict[str, Any]]:
        """The first API in which all of the request can be said, and the request in it; raises BadRequest."""
        *better, last = self.targets(model)
        for target in better:
            with suppress(Untranslatable):
                return target, self._in(target, model)
        return last, self._in(last, model)

    def _in(self, target: str, model: Model) -> dict[str, Any]:
        """The request in another API; raises BadRequest."""
        if self.suffix:
            where = f"/v1/{self.dialect.name}{self.suffix}"
            raise Untranslatable(f"The provider of {model.name} has nothing like {where}", param="model")
        return pairs.request(self.decoded(), self.dialect.name, target, model)

    def decoded(self) -> dict[str, Any]:
        """The whole body; raises BadRequest for values that cannot be read."""
        if self._whole is None:
            if _commas(self.fields) > _MOST_COMMAS:
                raise BadRequest("The body holds too many values to be translated for its model's provider")
            try:
                self._whole = {name: _decode(value) for name, value in self.fields.items()}
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BadRequest(f"The body cannot be read: {error}") from None
        return self._whole

    def _may_hold_foreign(self, content: bytes) -> bool:
        """Whether there may be reasoning of another provider, which the API would refuse; mostly there is none."""
        if self.dialect.name not in _FOREIGN:
            return False
        kind, *marks = _FOREIGN[self.dialect.name]
        return holds(content, kind) and any(holds(content, mark) for mark in marks)

    def _native(self) -> Fields:
        """The conversation without it; nothing where there is none."""
        field = self.dialect.conversation_field
        if field not in self.fields or not self._may_hold_foreign(bytes(self.fields[field])):
            return {}
        said = self.decoded()[field]
        kept = pairs.without_foreign(self.dialect.name, said)
        return {} if kept is said else {field: msgspec.Raw(body.encode(kept))}


def readable(asked: Asked, decision: Decision, name: str) -> Asked:
    """The request without the reasoning that this model has not made: its provider would refuse it."""
    foreign_turns = decision.pin.foreign_turns if decision.pin else 0
    if decision.crossed or name != decision.models[0] or foreign_turns == UNKNOWN_TURNS:
        return asked.without_reasoning()
    return asked.without_reasoning(foreign_turns) if foreign_turns else asked
