"""What happens when a model fails: who is asked instead, and what becomes of the pin."""

import enum
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from shared.domain.decisions import Decision, Question
from shared.domain.health import Condition, by_fitness
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import StoreDown

log = logging.getLogger("plano.events")

LOOK_EVERY_S = 0.5
"""How old a replica's view of the cooldowns may be; a pinned request itself never reads them."""


class OnFailure(enum.StrEnum):
    """What a session does when its model fails."""

    MOVE = "move"
    BORROW = "borrow"
    STRICT = "strict"


class Cooldowns(Protocol):
    """Who sits out; every method may raise StoreDown."""

    def conditions(self, models: Sequence[str]) -> dict[str, Condition]:
        """What is known of those that have failed."""

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """Let a model sit out."""

    def recovered(self, model: str) -> None:
        """Forget a model's failures."""

    def claim_probe(self, model: str) -> bool:
        """Whether the caller is the one that may try a model on probation."""


class Movable(Protocol):
    """Pins, as far as a failure changes them; raises StoreDown."""

    def move(self, session: Session, seen: Pin, to: Pin) -> Pin | None:
        """Move the session if its pin still names the model that was seen; return what stands afterwards."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's choice."""

    on_failure: OnFailure = OnFailure.MOVE
    max_attempts: int = 3
    default: str | None = None
    """The model that sessions without a route may fall back on."""


class Failover:
    """Decides which candidates a request tries; what it knows of them is Redis', and half a second old at most."""

    def __init__(self, cooldowns: Cooldowns, pins: Movable, models: Sequence[str], rules: Rules) -> None:
        """`models` are those that are looked after: every configured one."""
        self._cooldowns = cooldowns
        self._pins = pins
        self._models = tuple(models)
        self._rules = rules
        self.view: Mapping[str, Condition] = {}
        """The models that have failed lately."""
        self._looking = False
        self._lock = threading.Lock()

    def candidates(self, question: Question, decision: Decision) -> tuple[str, ...]:
        """The models to try, in this order; never empty."""
        self._keep_looking()
        names = self._eligible(question, decision)
        if len(names) == 1 or not self.view:
            return names[: self._rules.max_attempts]
        ordered = by_fitness(names, self.view)
        for name in names:
            known = self.view.get(name)
            if known is None:
                break
            if not known.cooling and self._may_probe(name):
                ordered = (name, *(other for other in ordered if other != name))
                break
        return ordered[: self._rules.max_attempts]

    def failed(self, model: str, why: str, retry_after_s: int | None) -> None:
        """A model gave no usable answer: let it sit out, here at once and on every replica within half a second."""
        log.warning("model failed model=%s outcome=%s", model, why)
        try:
            self._cooldowns.failed(model, why, retry_after_s)
        except StoreDown:
            return  # a cooldown that only this replica knew would be an opinion of its own
        self.view = {**self.view, model: Condition(since=time.time(), failures=1, cooling=True, why=why)}

    def answered(self, question: Question, decision: Decision, model: str) -> None:
        """A model has answered: it is well, and the session goes where it was served."""
        try:
            if model in self.view:
                self._cooldowns.recovered(model)
                self.view = {name: known for name, known in self.view.items() if name != model}
                log.info("model recovered model=%s", model)
            if model != decision.models[0]:
                self._move(question, decision, model)
        except StoreDown:
            # The outage itself is logged once; a line for each request that meets it would say nothing more.
            log.debug("a pin could not be moved to model=%s: redis is away", model)

    def _eligible(self, question: Question, decision: Decision) -> tuple[str, ...]:
        names = decision.models
        if self._rules.on_failure is OnFailure.STRICT:
            return names[:1]
        default = self._rules.default
        allowed = question.allowed is None or default in question.allowed
        if default and allowed and decision.route is None and default not in names:
            return (*names, default)
        return names

    def _may_probe(self, name: str) -> bool:
        try:
            return self._cooldowns.claim_probe(name)
        except StoreDown:
            return False

    def _move(self, question: Question, decision: Decision, model: str) -> None:
        pin = decision.pin
        if question.session is None or pin is None or self._rules.on_failure is not OnFailure.MOVE:
            return
        moved = msgspec.structs.replace(pin, model_name=model)
        standing = self._pins.move(question.session, pin, moved)
        log.info(
            "pin moved session=%s tenant=%s from=%s to=%s standing=%s",
            question.session.id,
            question.session.tenant,
            pin.model_name,
            model,
            standing.model_name if standing else None,
        )

    def _keep_looking(self) -> None:
        """Begin to follow the cooldowns at the first request: a server forks after it is built."""
        if self._looking:
            return
        with self._lock:
            if self._looking:
                return
            self._looking = True
        threading.Thread(target=self._look, name="cooldowns", daemon=True).start()

    def _look(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.view = self._cooldowns.conditions(self._models)
            except StoreDown:
                self.view = {}
            pause.wait(LOOK_EVERY_S)
