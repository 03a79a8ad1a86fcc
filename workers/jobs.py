"""The jobs that the queue names: JSON in, a plain function, JSON out. Each may run twice."""

from typing import Any

import msgspec

from shared.contract import Order
from shared.domain.ranking import Kind
from workers.parts import Parts


def decide(parts: Parts, order: dict[str, Any]) -> dict[str, Any]:
    """What comes of an order, as JSON; the pool announces it."""
    verdict = parts.decider.decide(msgspec.convert(order, Order))
    return dict(msgspec.to_builtins(verdict))


def refresh_metrics(parts: Parts, kind: str) -> None:
    """Renew one kind of the snapshot, `cost` or `latency`, from this worker's source of it."""
    if parts.refresher:
        parts.refresher.refresh(Kind(kind))
