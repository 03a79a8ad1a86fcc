"""What the tokens of an answer cost, and what the prompt cache kept from being paid."""

from collections.abc import Iterable, Mapping

import msgspec

_PER_MILLION = 1e-6
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
        cache_write_5m=_first(prices.cache_write_5m, short),
        cache_write_1h=_first(prices.cache_write_1h, long),
    )


def cost(usage: Usage, prices: Prices) -> float | None:
    """What the tokens cost in US$; None when the price of some is not known.

    Cached and written tokens without a price of their own cost what input does, those of reasoning what output does.
    """
    spoken = (usage.output - usage.reasoning, prices.output)
    thought = (usage.reasoning, _first(prices.reasoning, prices.output))
    return _usd([(usage.input, prices.input), *_of_cache(usage, prices), spoken, thought])


def kept(usage: Usage, prices: Prices) -> float | None:
    """What the cache saved in US$: the price as fresh input of all it held or took, less what that did cost.

    Less than zero for an answer that writes more than it reads. None when the price of input is not known.
    """
    fresh = _usd([(usage.cached + usage.cache_write_5m + usage.cache_write_1h, prices.input)])
    paid = _usd(_of_cache(usage, prices))
    return None if fresh is None or paid is None else fresh - paid


def lost(usage: Usage, prices: Prices, left: Prices, warm: int) -> float | None:
    """What it cost in US$ that a session left a model whose cache held `warm` tokens; None when that is not known.

    `usage` and `prices` are those of the answer that came instead, `left` the prices of the model that was left. Of
    the tokens that the answer read anew as many as were warm there count: at what they cost, less the price of
    reading them from the other cache. Never less than zero.
    """
    anew = usage.input + usage.cache_write_5m + usage.cache_write_1h
    again = min(max(warm - usage.cached, 0), anew)
    paid = _usd([(usage.input, prices.input), *_of_cache(usage, prices)[1:]])
    spared = _usd([(again, _first(left.cached, left.input))])
    if paid is None or spared is None:
        return None
    return max(paid * again / anew - spared, 0.0) if again else 0.0


def _of_cache(usage: Usage, prices: Prices) -> list[tuple[int, float | None]]:
    """The tokens read from the cache, and those written to it, each with their price."""
    short = _first(prices.cache_write_5m, prices.input)
    return [
        (usage.cached, _first(prices.cached, prices.input)),
        (usage.cache_write_5m, short),
        (usage.cache_write_1h, _first(prices.cache_write_1h, short)),
    ]


def _usd(parts: Iterable[tuple[int, float | None]]) -> float | None:
    total = 0.0
    for tokens, price in parts:
        if tokens:
            if price is None:
                return None
            total += tokens * price
    return total * _PER_MILLION


def _first(*prices: float | None) -> float | None:
    """The first price that is known."""
    return next((price for price in prices if price is not None), None)
