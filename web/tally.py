"""What answers took and used: noted in passing, and passed on once a second by a thread of its own.

What a request pays for it is a few additions. Whoever asks /metrics, or ranks by what was observed, sees an answer
up to a second late; a process that is killed takes its last second with it.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Annotated, Protocol

import msgspec

from shared.domain.observed import Seen
from shared.domain.ranking import Price, Snapshot, known_of
from shared.errors import StoreDown

log = logging.getLogger("plano.metrics")

EVERY_S = 1.0
MOST_NAMES = 200
"""So many tenants, and models of wildcards, have counters of their own; clients choose their names."""
OTHER = "other"

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
_PER_MILLION = 1e-6


class _Details(msgspec.Struct):
    cached_tokens: _Tokens | None = None


class _Usage(msgspec.Struct):
    """`usage` of the Chat Completions API: cached tokens are a part of the prompt's."""

    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    prompt_tokens_details: _Details | None = None


class Used(msgspec.Struct):
    """Tokens of one model and tenant, each counted once."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def usd(self, price: Price) -> float:
        """What they cost; cached input without a price of its own costs what input does."""
        cached = price.input if price.cached_input is None else price.cached_input
        return (self.input * price.input + self.cached * cached + self.output * price.output) * _PER_MILLION


class Counters(Protocol):
    """Who counts."""

    def used(self, model: str, tenant: str, tokens: Mapping[str, int]) -> None:
        """Tokens of each kind were used."""

    def spent(self, model: str, tenant: str, usd: float) -> None:
        """They have cost so much."""


class Prices(Protocol):
    """Where prices stand."""

    def snapshot(self) -> Snapshot:
        """What was read last."""


class Observed(Protocol):
    """Where the pool's own latencies are kept; raises StoreDown."""

    def add(self, seen: Mapping[str, Seen]) -> None:
        """Fold in what this process has seen."""


class Tally:
    """Collects what answers took and used."""

    def __init__(
        self,
        counters: Counters,
        prices: Prices,
        observed: Observed | None,
        *,
        models: Iterable[str] = (),
        tenants: Iterable[str] = (),
    ) -> None:
        """The `models` and `tenants` of the config have counters of their own, however many there are."""
        self._counters = counters
        self._prices = prices
        self._observed = observed
        self._models = _Names(models)
        self._tenants = _Names(tenants)
        self._seen: dict[str, Seen] = {}
        self._used: dict[tuple[str, str], Used] = {}
        self._running = False

    def answered(self, model: str, tenant: str | None, waited_s: float | None, usage: msgspec.Raw | None) -> None:
        """A model gave a good answer: how long it took to begin, and the `usage` in it, as it stands there."""
        name = self._models.of(model)
        if self._observed and waited_s is not None and name != OTHER:
            seen = self._seen.get(name) or self._seen.setdefault(name, Seen())
            seen.total += waited_s
            seen.count += 1
        if usage is not None:
            self._note(name, self._tenants.of(tenant) if tenant else "", usage)
        if not self._running and (self._seen or self._used):
            self._start()

    def pass_on(self) -> None:
        """Count what was used, price it, and let the pool know how fast its models are."""
        seen, self._seen = self._seen, {}
        used, self._used = self._used, {}
        if used:
            self._count(used)
        if seen and self._observed:
            try:
                self._observed.add(seen)
            except StoreDown as error:
                log.debug("what was observed in a second is lost: %s", error)

    def _count(self, used: Mapping[tuple[str, str], Used]) -> None:
        prices = self._prices.snapshot().prices
        for (model, tenant), one in used.items():
            self._counters.used(model, tenant, msgspec.structs.asdict(one))
            price = known_of(model, prices)
            if price:
                self._counters.spent(model, tenant, one.usd(price))

    def _note(self, model: str, tenant: str, usage: msgspec.Raw) -> None:
        """Add up what an answer used; what is no usage is passed over."""
        try:
            said = _decode(usage)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if said is None:
            return
        used = self._used.get((model, tenant)) or self._used.setdefault((model, tenant), Used())
        prompt, details = said.prompt_tokens or 0, said.prompt_tokens_details
        cached = min(details.cached_tokens or 0, prompt) if details else 0
        used.input += prompt - cached
        used.cached += cached
        used.output += said.completion_tokens or 0

    def _start(self) -> None:
        """Begin at the first answer: a server forks after it is built."""
        self._running = True
        threading.Thread(target=self._run, name="tally", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(EVERY_S)
            self.pass_on()


class _Names:
    """Names as they are counted: those that are known, so many others, and the rest as one."""

    def __init__(self, known: Iterable[str]) -> None:
        self._names = set(known)
        self._most = len(self._names) + MOST_NAMES

    def of(self, name: str) -> str:
        """The name itself, or `other`."""
        if name in self._names:
            return name
        if len(self._names) >= self._most:
            return OTHER
        self._names.add(name)
        return name


_decode = msgspec.json.Decoder(_Usage | None).decode
