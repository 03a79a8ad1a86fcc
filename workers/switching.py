"""Changes a session's model when that pays: when its cost fits into what the session has saved."""

import time
from collections.abc import Mapping
from typing import Protocol

from shared.domain.money import Prices
from shared.domain.money.switching import Budget, Ledger, Price, switch_usd
from shared.domain.pins import Pin, candidates
from shared.domain.sessions import Session
from shared.job_messages import DecisionRequest, DecisionResult, adopted


class Budgets(Protocol):
    """Keeps what sessions have saved and spent; raises StoreDown."""

    def ledger(self, session: Session) -> Ledger:
        """What stands in a session's ledger."""

    def spend(self, session: Session, seen: Pin, to: Pin, price: Price) -> Pin | None:
        """Move the session if its pin still names the model that was seen and the cost fits; return what stands."""


def switched(
    request: DecisionRequest, budget: Budget, proposed: Pin, prices: Mapping[str, Prices], budgets: Budgets
) -> DecisionResult:
    """The result for a session that has a pin: the proposed one if the session can pay for it, else its own."""
    session, seen = request.session, request.seen
    if session is None or seen is None or proposed.model_name == seen.model_name:
        return _stays(request)
    ledger = budgets.ledger(session)
    usd = switch_usd(
        seen.model_name, proposed.model_name, budget=budget, ledger=ledger, prices=prices, now=time.time()
    )
    if usd is None:
        return _stays(request)
    price = Price(usd=usd, percent=budget.percent, tokens=budget.tokens)
    standing = budgets.spend(session, seen, proposed, price)
    if standing == proposed:
        return DecisionResult(models=candidates(proposed, request.routes), route=proposed.route_name, pin=proposed)
    return adopted(standing, request) if standing else _stays(request)


def _stays(request: DecisionRequest) -> DecisionResult:
    assert request.seen is not None  # noqa: S101 - who has a budget has a pin
    return adopted(request.seen, request)
