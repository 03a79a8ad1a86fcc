"""A provider with a prompt cache, which says in each answer what it used and sends a bill.

GET  /_bill    tokens and US$ by model, and what it comes to
POST /_behave  {"prices": {"openai/gpt-4o": {"input": 2.5, "output": 10, "cache_read": 1.25}}, "window_s": 300}

Prices are US$ per million tokens; `cache_write` and `cache_write_1h` where writing is billed apart.
"""

import json
from collections import Counter
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, ClassVar

from tests.fakes.prompt_cache import Block, Counts, PromptCache, blocks_of
from tests.fakes.provider import Provider
from tests.fakes.wire import Answer, Request, dumps, whole

Json = dict[str, Any]

_APIS = {"/v1/chat/completions": "chat", "/v1/messages": "messages", "/v1/responses": "responses"}
_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class _Metered(Answer):
    """An answer with what it used."""

    model: str
    blocks: list[Block]
    counts: Counts
    output: int
    marked: bool


class Metered(Provider):
    """Bills what it answers; an answer that goes wrong is neither billed nor cached."""

    settable: ClassVar[frozenset[str]] = Provider.settable | {"prices", "window_s"}

    def __init__(self, port: int | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(port, host)
        self.prices: dict[str, Json] = {}
        self.cache = PromptCache()
        self._used: Counter[tuple[str, str]] = Counter()

    @property
    def window_s(self) -> float:
        """How long what is cached outlives its last use."""
        return self.cache.window_s

    @window_s.setter
    def window_s(self, seconds: float) -> None:
        self.cache.window_s = seconds

    def clear(self) -> None:
        """Forget the requests, the bill and what is cached."""
        super().clear()
        self.cache.clear()
        with self._lock:
            self._used.clear()

    def respond(self, request: Request) -> Answer:
        """The provider's answer with what it used by its cache."""
        answer = super().respond(request)
        api = _APIS.get(request.path.partition("?")[0])
        if api is None or answer.status != 200 or request.model is None:
            return answer
        blocks = blocks_of(api, request.json)
        marked = api == "messages"
        counts = self.cache.count(request.model, blocks, marked=marked)
        output = _output_of(answer)
        said = _rewritten(answer, _usage(api, counts, output))
        given = {field.name: getattr(said, field.name) for field in fields(said)}
        return _Metered(**given, model=request.model, blocks=blocks, counts=counts, output=output, marked=marked)

    def told_more(self, request: Request) -> Answer:
        """The bill."""
        if (request.method, request.path) == ("GET", "/_bill"):
            return whole(dumps(self.bill()))
        return super().told_more(request)

    def delivered(self, answer: Answer) -> None:
        """Bill an answer, and cache what was read for it."""
        if isinstance(answer, _Metered):
            self.cache.keep(answer.model, answer.blocks, marked=answer.marked)
            counts = answer.counts
            with self._lock:
                self._used[answer.model, "input"] += counts.input
                self._used[answer.model, "cache_read"] += counts.cached
                self._used[answer.model, "cache_write"] += counts.written_5m
                self._used[answer.model, "cache_write_1h"] += counts.written_1h
                self._used[answer.model, "output"] += answer.output

    def bill(self) -> Json:
        """Tokens and US$, as texts so that nothing is rounded, by model."""
        with self._lock:
            used = dict(self._used)
        models: dict[str, Json] = {}
        for (model, kind), tokens in used.items():
            models.setdefault(model, {})[kind] = tokens
        usd = {model: self._usd(model, counts) for model, counts in models.items()}
        return {
            "models": {model: {**counts, "usd": str(usd[model])} for model, counts in models.items()},
            "usd": str(sum(usd.values(), Decimal())),
        }

    def _usd(self, model: str, counts: dict[str, int]) -> Decimal:
        listed = next(each for name, each in self.prices.items() if name.partition("/")[2] == model)
        price = {kind: Decimal(str(listed.get(kind, listed["input"]))) for kind in counts}
        return sum((price[kind] * tokens for kind, tokens in counts.items()), Decimal()) / _MILLION


def _output_of(answer: Answer) -> int:
    """How much the provider said that it wrote."""
    found = [answer.body] if answer.events is None else [_data(event) for event in answer.events]
    usages = [usage for said in map(_decoded, found) for usage in _usages(said)]
    return max(
        (int(usage.get("completion_tokens") or usage.get("output_tokens") or 0) for usage in usages), default=0
    )


def _rewritten(answer: Answer, usage: Json) -> Answer:
    """The answer with this usage wherever it says one."""
    if answer.events is None:
        return replace(answer, body=_with_usage(answer.body, usage))
    events = []
    for event in answer.events:
        data = _data(event)
        events.append(event.replace(data, _with_usage(data, usage)) if b'"usage":{' in data else event)
    return replace(answer, events=tuple(events))


def _with_usage(data: bytes, usage: Json) -> bytes:
    said = json.loads(data)
    for each in _usages(said):
        each.update(usage)
    return dumps(said)


def _usages(said: Any) -> list[Json]:
    """The `usage` of an answer or event, wherever its API has it."""
    holders = [said, said.get("message"), said.get("response")] if isinstance(said, dict) else []
    found = [holder.get("usage") for holder in holders if isinstance(holder, dict)]
    return [usage for usage in found if isinstance(usage, dict)]


def _data(event: bytes) -> bytes:
    return next((line[6:] for line in event.splitlines() if line.startswith(b"data: ")), b"")


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _usage(api: str, counts: Counts, output: int) -> Json:
    if api == "messages":
        return {
            "input_tokens": counts.input,
            "cache_read_input_tokens": counts.cached,
            "cache_creation_input_tokens": counts.written_5m + counts.written_1h,
            "cache_creation": {
                "ephemeral_5m_input_tokens": counts.written_5m,
                "ephemeral_1h_input_tokens": counts.written_1h,
            },
            "output_tokens": output,
        }
    taken, given = ("prompt", "completion") if api == "chat" else ("input", "output")
    return {
        f"{taken}_tokens": counts.all,
        f"{given}_tokens": output,
        "total_tokens": counts.all + output,
        f"{taken}_tokens_details": {"cached_tokens": counts.cached},
        f"{given}_tokens_details": {"reasoning_tokens": 0},
    }
