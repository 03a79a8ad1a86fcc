"""What the tokens of an answer cost, and what the prompt cache kept from being paid."""

import math
from collections.abc import Mapping

import msgspec

_PER_MILLION = 1e-6
_UNKNOWN = math.nan
_WRITES = {"anthropic": (1.25, 2.0)}
"""What writing to a provider's cache costs where no list says it, in prices of input: for 5 minutes, for an hour.

From Anthropic's documentation of prompt caching. Other providers do not charge for it.
"""


class Usage(msgspec.Struct, frozen=True):
    """The tokens that an answer says it used. Each is counted once, but for those of reasoning."""

    input: int = 0
    """What the provider read anew and did not put into its cache at a price of its own."""
    cached: int = 0
    """What it read from its cache."""
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    """They are part of `output`."""

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


class Prices(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model's tokens cost, in US$ per million. None is a price that is not known, which is not zero."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None


def prices_of(model: str, known: Mapping[str, Prices]) -> Prices | None:
    """The prices of a model: by its qualified name, else by its bare id. None when nothing is known of it."""
    provider, _, bare = model.partition("/")
    prices = known.get(model) or known.get(bare)
    if prices is None or prices.input is None or provider not in _WRITES:
        return prices
    short, long = (prices.input * times for times in _WRITES[provider])
    return msgspec.structs.replace(
        prices,
        cache_write_5m=short if prices.cache_write_5m is None else prices.cache_write_5m,
        cache_write_1h=long if prices.cache_write_1h is None else prices.cache_write_1h,
    )


def cost(usage: Usage, prices: Prices) -> float | None:
    """What the tokens cost in US$; None when the price of some is not known.

    Cached and written tokens without a price of their own cost what input does, those of reasoning what output does.
    """
    fresh = _UNKNOWN if prices.input is None else prices.input
    spoken = _UNKNOWN if prices.output is None else prices.output
    thought = spoken if prices.reasoning is None else prices.reasoning
    paid = _price(usage.input, fresh) + _of_cache(usage, prices, fresh)
    paid += _price(usage.output - usage.reasoning, spoken) + _price(usage.reasoning, thought)
    return _usd(paid)


def kept(usage: Usage, prices: Prices) -> float | None:
    """What the cache saved in US$: the price as fresh input of all it held or took, less what that did cost.

    Less than zero for an answer that writes more than it reads. None when the price of input is not known.
    """
    fresh = _UNKNOWN if prices.input is None else prices.input
    in_cache = usage.cached + usage.cache_write_5m + usage.cache_write_1h
    return _usd(_price(in_cache, fresh) - _of_cache(usage, prices, fresh))


def lost(usage: Usage, prices: Prices, left: Prices, warm: int) -> float | None:
    """What it cost in US$ that a session left a model whose cache held `warm` tokens; None when that is not known.

    `usage` and `prices` are those of the answer that came instead, `left` the prices of the model that was left. Of
    the tokens that the answer read anew as many as were warm there count: at what they cost, less the price of
    reading them from the other cache. Never less than zero.
    """
    anew = usage.input + usage.cache_write_5m + usage.cache_write_1h
    again = min(max(warm - usage.cached, 0), anew)
    if not again:
        return 0.0
    fresh = _UNKNOWN if prices.input is None else prices.input
    paid = _price(usage.input, fresh) + _of_cache(msgspec.structs.replace(usage, cached=0), prices, fresh)
    before = left.input if left.cached is None else left.cached
    usd = _usd(paid * again / anew - _price(again, _UNKNOWN if before is None else before))
    return None if usd is None else max(usd, 0.0)


def _of_cache(usage: Usage, prices: Prices, fresh: float) -> float:
    """What reading from the cache and writing to it cost; `fresh` where they have no price of their own."""
    short = fresh if prices.cache_write_5m is None else prices.cache_write_5m
    long = short if prices.cache_write_1h is None else prices.cache_write_1h
    return (
        _price(usage.cached, fresh if prices.cached is None else prices.cached)
        + _price(usage.cache_write_5m, short)
        + _price(usage.cache_write_1h, long)
    )


def _price(tokens: int, each: float) -> float:
    """Tokens that there are not cost nothing, even where their price is not known."""
    return tokens * each if tokens else 0.0


def _usd(millionths: float) -> float | None:
    return None if math.isnan(millionths) else millionths * _PER_MILLION
