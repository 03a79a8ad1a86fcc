"""Models, as an operator sees and drains them."""

import enum
import logging
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from shared.domain.availability.cooldowns import Cooldown
from shared.domain.availability.drains import Drain
from shared.domain.catalog import Catalog
from shared.domain.money import Prices, prices_of
from shared.domain.ranking import Measure, known_of
from shared.domain.routes import Route, model_names
from shared.errors import UnknownModel
from shared.log_fields import fields
from shared.operations.operator_identity import Operator
from shared.operations.ports import Cooldowns, Drains, Metrics
from shared.operations.sessions import LISTED, SessionOperations

log = logging.getLogger("plano.events")


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
    sessions: int = 0
    """How many of the newest sessions that live are pinned to it; of a thousand at most."""
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

    def __init__(
        self,
        *,
        catalog: Catalog,
        routes: Sequence[Route],
        sessions: SessionOperations,
        metrics: Metrics,
        cooldowns: Cooldowns,
        drains: Drains,
    ) -> None:
        self._catalog = catalog
        self._names = model_names(catalog, routes)
        self._routes = tuple(routes)
        self._sessions = sessions
        self._metrics = metrics
        self._cooldowns = cooldowns
        self._drains = drains

    def states(self) -> tuple[ModelState, ...]:
        """Every configured model, in the order of the config."""
        snapshot = self._metrics.snapshot()
        cooldowns, drains = self._cooldowns.known(self._names), self._drains.known(self._names)
        counts = Counter(state.model for state in self._sessions.page(count=LISTED).sessions)
        every = counts.total()
        return tuple(
            ModelState(
                name=name,
                state=_state(cooldowns.get(name), drains.get(name)),
                routes=tuple(route.name for route in self._routes if name in route.models),
                sessions=counts[name],
                share=counts[name] / every if every else None,
                prices=prices_of(name, snapshot.prices),
                latency=known_of(name, snapshot.latency),
                cooldown=cooldowns.get(name),
                drain=drains.get(name),
            )
            for name in self._names
        )

    def state(self, model: str) -> ModelState:
        """One of them, by an alias, its qualified name or its bare id; raises UnknownModel."""
        name = self._named(model)
        return next(state for state in self.states() if state.name == name)

    def drain(self, model: str, by: Operator, *, now: bool = False) -> ModelState:
        """Have new sessions avoid a model, and its sessions move at their next turn that loses nothing by it.

        `now`: at their next turn, whatever it is. Raises UnknownModel.
        """
        name = self._named(model)
        self._drains.begin(name, Drain(since=time.time(), now=now, who=by.who, why=by.why))
        log.info("model drained", extra=fields(model=name, now=now, who=by.who, why=by.why))
        return self.state(name)

    def undrain(self, model: str, by: Operator) -> bool:
        """End the drain of a model; return whether there was one. Raises UnknownModel."""
        name = self._named(model)
        ended = self._drains.end(name)
        if ended:
            log.info("model drained no longer", extra=fields(model=name, who=by.who, why=by.why))
        return ended

    def _named(self, model: str) -> str:
        name = self._catalog.qualify(model)
        if name not in self._names:
            raise UnknownModel(f"The model {name!r} is one of a wildcard's that no route names", param="model")
        return name


def _state(cooldown: Cooldown | None, drain: Drain | None) -> State:
    if drain:
        return State.DRAINED
    if cooldown:
        return State.COOLING if cooldown.cooling else State.PROBATION
    return State.SERVING
