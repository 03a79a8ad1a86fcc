"""Models, as an operator sees and drains them."""

import enum
from collections.abc import Sequence

import msgspec

from shared.domain.availability.cooldowns import Cooldown
from shared.domain.availability.drains import Drain
from shared.domain.money import Prices
from shared.domain.ranking import Measure
from shared.operations.operator import Operator


class State(enum.StrEnum):
    """What a model does at the moment."""

    SERVING = "serving"
    DRAINED = "drained"
    COOLING = "sits out"
    PROBATION = "on probation"


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and what is known of it."""

    name: str
    """The qualified name."""
    state: State
    routes: tuple[str, ...] = ()
    """The routes that name it."""
    sessions: int | None = None
    """How many of the newest sessions it serves; None: there are no records."""
    share: float | None = None
    """… as a part of all of them, from 0 to 1; None: there are none."""
    prices: Prices | None = None
    latency: Measure | None = None
    """Seconds to the first byte, when they were measured last, and by whom."""
    cooldown: Cooldown | None = None
    """Since when it fails, how often in a row and why; None: it has not failed lately."""
    drain: Drain | None = None


class ModelOperations:
    """What an operator can ask of models and do to them. Every method raises StoreDown."""

    def states(self) -> tuple[ModelState, ...]:
        """Every configured model, in the order of the config."""

    def state(self, model: str) -> ModelState:
        """One of them, by an alias, its qualified name or its bare id; raises UnknownModel."""

    def drain(self, model: str, by: Operator, *, now: bool = False) -> ModelState:
        """Have new sessions avoid a model, and its sessions move at their next turn that loses nothing by it.

        `now`: at their next turn, whatever it is. Raises UnknownModel.
        """

    def undrain(self, model: str, by: Operator) -> bool:
        """End the drain of a model; return whether there was one. Raises UnknownModel."""
