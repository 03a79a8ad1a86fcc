"""What the pool's answers have cost and saved, by who asked, which model answered and why it did."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

HOUR_S = 3600
PARTS = ("tenant", "model", "route")
"""The parts of an account, in their order."""
AMOUNTS = ("cost", "kept", "lost")
"""What is summed, in its order."""


class Account(NamedTuple):
    """Whose answers are summed; empty where there is no tenant or no route."""

    tenant: str
    model: str
    route: str


class Amounts(NamedTuple):
    """US$: what answers cost, what prompt caches kept from being paid, and what re-warming them cost."""

    cost: float = 0.0
    kept: float = 0.0
    lost: float = 0.0

    def plus(self, other: "Amounts") -> "Amounts":
        """Both together."""
        return Amounts(self.cost + other.cost, self.kept + other.kept, self.lost + other.lost)


class Move(NamedTuple):
    """Why a session's answer came from another model than the one whose cache was warm, and which that was."""

    reason: str
    left: str


def by(part: str, sums: Mapping[Account, Amounts]) -> dict[str, Amounts]:
    """The sums by one part of the account, such as `model`; the largest cost first."""
    grouped: dict[str, Amounts] = {}
    for account, amounts in sums.items():
        name: str = getattr(account, part)
        grouped[name] = grouped.get(name, Amounts()).plus(amounts)
    return dict(sorted(grouped.items(), key=lambda pair: (-pair[1].cost, pair[0])))


def total(sums: Iterable[Amounts]) -> Amounts:
    """All together."""
    added = Amounts()
    for amounts in sums:
        added = added.plus(amounts)
    return added
