"""What happens when a model fails or is drained: which model is asked next, and what becomes of the pin."""

import contextlib
import enum
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from shared.domain.availability.cooldowns import Cooldown, by_fitness
from shared.domain.availability.drains import drained_last
from shared.domain.availability.failures import Blame, Failure, keeps_pin, suspect
from shared.domain.decisions import Decision, RouteRequest
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.log_fields import fields
from shared.routing.draining import Drained, NoneDrained, able, leaves
from shared.routing.pin_transitions import moved

log = logging.getLogger("plano.events")

LOOK_EVERY_S = 0.5
"""How often a process reads the cooldowns. A request uses what was read last."""


class OnFailure(enum.StrEnum):
    """What a session does when its model fails."""

    MOVE = "move"
    BORROW = "borrow"
    STRICT = "strict"


class Cooldowns(Protocol):
    """Knows which models sit out; every method may raise StoreDown."""

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """What is known of those that have failed."""

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """Let a model sit out."""

    def suspected(self, model: str, request: str) -> bool:
        """Whether a model that has failed this request has failed another one in the last 10 s."""

    def recovered(self, model: str) -> None:
        """Forget a model's failures."""

    def claim_probe(self, model: str) -> bool:
        """Whether the caller is the one that may try a model on probation."""


class Movable(Protocol):
    """Moves pins; raises StoreDown."""

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator chose for the case that a model fails."""

    on_failure: OnFailure = OnFailure.MOVE
    max_attempts: int = 3
    default: str | None = None
    """The model that sessions without a route may fall back on."""


class Failover:
    """Decides which candidates a request tries, by the cooldowns that were read last."""

    def __init__(
        self,
        cooldowns: Cooldowns,
        pins: Movable,
        models: Sequence[str],
        rules: Rules,
        drains: Drained | None = None,
    ) -> None:
        """`models` are those whose cooldowns are read: every configured one."""
        self._store = cooldowns
        self._pins = pins
        self._models = tuple(models)
        self._rules = rules
        self._drains = drains or NoneDrained()
        self.cooldowns: Mapping[str, Cooldown] = {}
        """The models that have failed lately."""

    def candidates(self, request: RouteRequest, decision: Decision, lacking: Collection[str] = ()) -> tuple[str, ...]:
        """The models to try, in this order; never empty.

        Those `lacking` a credential that only the client has are left out, unless there is no other: then the
        provider of the first one says what is missing. Models that have failed come last, and before them those that
        are drained. When the preferred one's cooldown is over, a single request tries it first.
        """
        names = self._eligible(request, decision)
        if self._drains.known:
            names = (names[0], *drained_last(names[1:], self._drains.known))
        if lacking:
            names = tuple(name for name in names if name not in lacking) or names[:1]
        if len(names) == 1 or not self.cooldowns:
            return names[: self._rules.max_attempts]
        ordered = by_fitness(names, self.cooldowns)
        for name in names:
            known = self.cooldowns.get(name)
            if known is None:
                break
            if not known.cooling and self._may_probe(name):
                ordered = (name, *(other for other in ordered if other != name))
                break
        return ordered[: self._rules.max_attempts]

    def successor(self, request: RouteRequest, decision: Decision) -> str | None:
        """The model that is to serve in place of the decision's, since that is drained; None: the decision stands.

        It is the first of the other candidates that is well. Where nobody else is, a drained model serves on.
        """
        drains = self._drains.known
        drain = drains.get(decision.models[0]) if drains else None
        if drain is None or decision.alone or not leaves(request, drain):
            return None
        names = self._named(request, decision)
        allowed = names if request.allowed is None else tuple(name for name in names if name in request.allowed)
        well = [name for name in allowed if name not in drains and name not in self.cooldowns]
        return next(iter(able(request, well)), None)

    def look(self) -> None:
        """Read the cooldowns of all models; while Redis is away there are none."""
        try:
            self.cooldowns = self._store.known(self._models)
        except StoreDown:
            self.cooldowns = {}

    def failed(self, failure: Failure) -> None:
        """Note an attempt that has failed. A model that nobody listens for sits out at once."""
        log.warning("model failed", extra=fields(model=failure.model, outcome=failure.why, blame=failure.blame.value))
        known = self.cooldowns.get(failure.model)
        if failure.blame is Blame.REFUSED and not (known and known.cooling):
            with contextlib.suppress(StoreDown):
                self._sit_out(failure)

    def gave_up(self, request: RouteRequest, failures: Sequence[Failure]) -> None:
        """Note that no candidate has answered."""
        with contextlib.suppress(StoreDown):
            self._judge(request, failures)

    def answered(
        self, request: RouteRequest, decision: Decision, model: str, failures: Sequence[Failure] = ()
    ) -> bool:
        """Note that a model has answered, after the failures of others; return whether a pin to another one stays.

        Its own failures are forgotten. The session moves to it unless its pinned model was not at fault.
        """
        try:
            if model in self.cooldowns:
                self._recover(model)
            if failures:
                self._judge(request, failures)
            return model != decision.models[0] and not self._move(request, decision, model, failures)
        except StoreDown:
            # The breaker logs the outage once. A line for each request would say nothing more.
            log.debug("a pin could not be moved to model=%s: redis is away", model)
            return model != decision.models[0] and decision.pin is not None

    def _judge(self, request: RouteRequest, failures: Sequence[Failure]) -> None:
        """Let a model sit out that has failed two requests within 10 s, or one while it is on probation."""
        failure = suspect(failures)
        if failure is None:
            return
        known = self.cooldowns.get(failure.model)
        if known and known.cooling:
            return
        session = request.session
        name = f"{session.tenant or ''}:{session.id}" if session else request.trace.request_id
        if known or self._store.suspected(failure.model, name):
            self._sit_out(failure)

    def _sit_out(self, failure: Failure) -> None:
        """Let a model sit out: here at once, on other replicas within half a second."""
        model, why = failure.model, failure.why
        self._store.failed(model, why, failure.retry_after_s)  # first: a cooldown is never in one process alone
        self.cooldowns = {**self.cooldowns, model: Cooldown(since=time.time(), failures=1, cooling=True, why=why)}
        log.warning("model sits out", extra=fields(model=model, outcome=why))

    def _recover(self, model: str) -> None:
        self._store.recovered(model)
        self.cooldowns = {name: known for name, known in self.cooldowns.items() if name != model}
        log.info("model recovered", extra=fields(model=model))

    def _eligible(self, request: RouteRequest, decision: Decision) -> tuple[str, ...]:
        names = decision.models
        if self._rules.on_failure is OnFailure.STRICT or decision.alone:
            return names[:1]
        return self._named(request, decision)

    def _named(self, request: RouteRequest, decision: Decision) -> tuple[str, ...]:
        """The decision's candidates, and the default model where sessions may fall back on it."""
        names = decision.models
        default = self._rules.default
        allowed = request.allowed is None or default in request.allowed
        if default and allowed and decision.route is None and default not in names:
            return (*names, default)
        return names

    def _may_probe(self, name: str) -> bool:
        try:
            return self._store.claim_probe(name)
        except StoreDown:
            return False

    def _move(self, request: RouteRequest, decision: Decision, model: str, failures: Sequence[Failure]) -> bool:
        """Move the session's pin to the model; False when the pin stays as it is."""
        pin = decision.pin
        if request.session is None or pin is None:
            return True
        stays = self._rules.on_failure is not OnFailure.MOVE or keeps_pin(failures, decision.models[0])
        if stays and not request.is_bound:  # what another model signs, its own one could not read
            return False
        why = next((failure.why for failure in failures if failure.model == decision.models[0]), "cooling")
        standing = self._pins.move(request.session, pin, moved(request, pin, model, why))
        log.info(
            "pin moved",
            extra=fields(
                session=request.session.id,
                tenant=request.session.tenant,
                **{"from": pin.model_name},
                to=model,
                standing=standing.model_name if standing else None,
            ),
        )
        return standing is None or standing.model_name == model
