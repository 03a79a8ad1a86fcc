"""The jobs that the queue names: JSON in, a plain function, JSON out. Each may run twice."""

from typing import Any

import msgspec

from shared.contract import Order
from workers.parts import Parts


def decide(parts: Parts, order: dict[str, Any]) -> dict[str, Any]:
    """What comes of an order, as JSON; the pool announces it."""
    verdict = parts.decider.decide(msgspec.convert(order, Order))
    return dict(msgspec.to_builtins(verdict))
