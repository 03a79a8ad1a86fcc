"""Which model answers: the session's pin, else a decision that becomes one."""

import logging
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

import msgspec

from shared.contract import Order, Verdict
from shared.domain import conversation
from shared.domain.catalog import Catalog
from shared.domain.decisions import Decision, Question
from shared.domain.pins import Pin, candidates
from shared.domain.routes import Route
from shared.domain.sessions import Session
from shared.errors import Away, NotAllowed, Overdue, Overloaded, RouterDown, StoreDown, TooManyWaiting, Unavailable
from shared.tracing import OFF, Tracing

log = logging.getLogger("plano.events")


class Pins(Protocol):
    """Where pins live; every method may raise StoreDown."""

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""

    def settle(self, session: Session, pin: Pin, ttl_s: int) -> Pin:
        """Pin the session unless it is pinned already; return the pin that stands."""

    def drop(self, session: Session, seen: Pin) -> bool:
        """Drop the session's pin if it still names the model that was seen; return whether it was dropped."""


class Decisions(Protocol):
    """Who routes and ranks."""

    def ask(self, order: Order, budget_s: float) -> Verdict:
        """What comes of an order; raises Away."""

    def workers(self) -> int:
        """How many processes decide; raises Away."""


class Notes(Protocol):
    """Who counts what happens."""

    def decided(self, decision: Decision) -> None:
        """A decision was made."""

    def degraded(self, part: str) -> None:
        """A part of the pool was away."""


class Quota(Protocol):
    """How many sessions a tenant may begin."""

    def admit(self, session: Session | None) -> None:
        """Count a session that is about to be pinned; raises TooManySessions, or StoreDown."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How long pins live, how long decisions may take, and what to do when something is away."""

    session_ttl_s: int
    session_max_age_s: int | None = None
    decision_budget_s: float
    reject_on_outage: bool


class Affinity:
    """Answers questions; keeps nothing between two of them."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        routes: tuple[Route, ...],
        pins: Pins,
        decisions: Decisions,
        policy: Policy,
        notes: Notes,
        quota: Quota,
        tracing: Tracing = OFF,
    ) -> None:
        self._catalog = catalog
        self._routes = routes
        self._pins = pins
        self._decisions = decisions
        self._policy = policy
        self._notes = notes
        self._quota = quota
        self._tracing = tracing
        # Many pins are alike, and working it out takes 1 µs.
        self._serving = lru_cache(maxsize=1024)(self._candidates)

    def resolve(self, question: Question) -> Decision:
        """The decision for a request: the pin that stands, else a fresh decision, pinned for what follows.

        When a part of the pool is away the request's own model serves it, unpinned, and the decision says so.
        Raises Unavailable instead if the operator chose to reject; BadRequest for an unreadable conversation;
        TooManySessions when the session's tenant has begun enough of them; NotAllowed when the session is pinned to
        a model that the client's key does not cover.
        """
        try:
            decision = _within_allowed(self._pinned(question) or self._decided(question), question.allowed)
        except Away as away:
            if isinstance(away, Overdue):
                log.exception("a decision was overdue")
            self._notes.degraded(away.part)
            if self._policy.reject_on_outage:
                overloaded = isinstance(away, TooManyWaiting)
                raise (Overloaded if overloaded else Unavailable)(str(away)) from away
            decision = Decision(models=(question.model.name,), degraded=away.part)
        self._notes.decided(decision)
        return decision

    def _pinned(self, question: Question) -> Decision | None:
        if question.session is None:
            return None
        with self._tracing.span("redis.pin", question.trace.traceparent, {}):
            pin = self._pins.get(question.session)
        if pin is None:
            return None
        if self._catalog.find(pin.model_name) is None:
            self._pins.drop(question.session, pin)  # its model left the config: the pin is void
            return None
        return Decision(models=self._serving(pin), route=pin.route_name, pinned=True, pin=pin)

    def _candidates(self, pin: Pin) -> tuple[str, ...]:
        return self._configured(candidates(pin, self._routes))

    def _configured(self, models: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in models if self._catalog.find(name))

    def _decided(self, question: Question) -> Decision:
        messages = conversation.read(question.messages) if question.routes else []
        self._quota.admit(question.session)
        if not messages:
            return self._own(question)
        with self._tracing.span("plano.decide", question.trace.traceparent, {}) as span:
            order = Order(
                model_name=question.model.name,
                session=question.session,
                ttl_s=self._policy.session_ttl_s,
                until=self._until(),
                routes=question.routes,
                inline=question.inline,
                messages=tuple(messages),
                request_id=question.trace.request_id,
                traceparent=span.traceparent,
            )
            try:
                verdict = self._decisions.ask(order, self._policy.decision_budget_s)
            except RouterDown:
                return self._settled_meanwhile(question)
        return self._by_verdict(verdict, question)

    def _own(self, question: Question) -> Decision:
        """Nothing to route by: the request's own model, pinned all the same."""
        if question.session is None:
            return Decision(models=(question.model.name,))
        proposed = Pin(model_name=question.model.name, route_name=None, until=self._until())
        standing = self._pins.settle(question.session, proposed, self._policy.session_ttl_s)
        if standing == proposed:
            return Decision(models=(question.model.name,), pin=proposed)
        return self._adopted(candidates(standing, self._routes), standing, question, pinned=True)

    def _until(self) -> int | None:
        """When a pin made now ends for good."""
        max_age_s = self._policy.session_max_age_s
        return int(time.time()) + max_age_s if max_age_s else None

    def _settled_meanwhile(self, question: Question) -> Decision:
        """The verdict was not heard: perhaps it was announced while the subscription was broken."""
        standing = self._pinned(question)
        if standing is None:
            raise RouterDown("no decision was heard in time")
        return standing

    def _by_verdict(self, verdict: Verdict, question: Question) -> Decision:
        if verdict.fault == StoreDown.part:
            raise StoreDown("a worker could not reach Redis")
        if verdict.fault:
            raise RouterDown(verdict.fault)
        if verdict.pin:
            return self._adopted(verdict.models, verdict.pin, question, pinned=verdict.pinned)
        return Decision(models=verdict.models, route=verdict.route)

    def _adopted(self, models: tuple[str, ...], pin: Pin, question: Question, *, pinned: bool) -> Decision:
        """What stands for the session now; the request's own model where a replica with another config pinned it."""
        if self._catalog.find(pin.model_name) is None:
            return Decision(models=(question.model.name,))
        return Decision(models=self._configured(models), route=pin.route_name, pinned=pinned, pin=pin)


def _within_allowed(decision: Decision, allowed: frozenset[str] | None) -> Decision:
    """The decision without the models that the client's key does not cover."""
    if allowed is None:
        return decision
    if decision.models[0] not in allowed:
        raise NotAllowed(f"The session's model {decision.models[0]} is not covered by this API key")
    return msgspec.structs.replace(decision, models=tuple(name for name in decision.models if name in allowed))
