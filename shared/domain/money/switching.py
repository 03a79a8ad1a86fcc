"""Whether a session may change its model: what that costs, and what the session's prompt caches have saved."""

from collections.abc import Mapping

import msgspec

from shared.domain.money.token_costs import Prices, Usage, cost, prices_of

_USUAL_WINDOW_S = 300


class Warm(msgspec.Struct, frozen=True):
    """How much of a session a model has read last, and when: it is in the model's prompt cache for a while."""

    tokens: int
    at: int
    """In seconds since the epoch."""


class Ledger(msgspec.Struct, frozen=True):
    """What a session's prompt caches have saved, what its changes of model have cost, in US$, and what is warm."""

    saved_usd: float = 0.0
    spent_usd: float = 0.0
    warm: dict[str, Warm] = {}


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a session may spend on changes of its model, and what their cost depends on."""

    percent: float
    """How much of what it has saved."""
    tokens: int
    """About how many tokens the request has."""
    for_an_hour: bool = False
    """Whether it has its provider keep the prompt cache for an hour."""
    windows: dict[str, int] = {}
    """For how many seconds the models' prompt caches live."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of a session's model costs, and what may be spent on it."""

    usd: float
    percent: float
    """The most that may be spent, as a share of what the session has saved."""
    tokens: int
    """How much of the session the other model then has in its prompt cache."""


def switch_usd(
    left: str, to: str, *, budget: Budget, ledger: Ledger, prices: Mapping[str, Prices], now: float
) -> float | None:
    """What it costs to go on with another model, in US$; less than zero when that is cheaper at once.

    It is what the other model takes for the whole context, less what the one that is left would take. What a model
    still has in its cache is read from it; the rest counts at the price of writing to the cache. None when the price
    of either is not known.
    """
    last = ledger.warm.get(left)
    context = max(budget.tokens, last.tokens if last else 0)

    def context_usd(model: str) -> float | None:
        known, warm = prices_of(model, prices), ledger.warm.get(model)
        if known is None or known.input is None:
            return None
        is_warm = warm is not None and now - warm.at <= budget.windows.get(model, _USUAL_WINDOW_S)
        cached = min(context, warm.tokens) if warm and is_warm else 0
        return cost(_read(cached, context - cached, for_an_hour=budget.for_an_hour), known)

    other, own = context_usd(to), context_usd(left)
    return None if other is None or own is None else other - own


def _read(cached: int, written: int, *, for_an_hour: bool) -> Usage:
    if for_an_hour:
        return Usage(cached=cached, cache_write_1h=written)
    return Usage(cached=cached, cache_write_5m=written)
