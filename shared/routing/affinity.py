"""Which model answers a request: the session's pin decides, else a new decision, which becomes the pin."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from shared.domain import conversation
from shared.domain.catalog import Catalog
from shared.domain.conversation import Message
from shared.domain.decisions import Decision, RouteRequest
from shared.domain.money.switching import Budget
from shared.domain.pins import Pin, candidates, used
from shared.domain.routes import Route
from shared.errors import Away, NotAllowed, Overdue, Overloaded, RouterDown, StoreDown, TooManyWaiting, Unavailable
from shared.job_messages import DecisionRequest, DecisionResult
from shared.log_fields import fields
from shared.routing.draining import Successors
from shared.routing.pin_transitions import crosses, end_of, fitted, moved, ttls_of, use_of
from shared.routing.ports import Decisions, Pins, Policy, Recorder, SessionLimit
from shared.routing.redecision import WARM, budget_of, why_anew
from shared.tracing import OFF, Tracing

log = logging.getLogger("plano.events")


class Affinity:
    """Finds the model for a request; holds no state between requests."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        routes: tuple[Route, ...],
        pins: Pins,
        decisions: Decisions,
        policy: Policy,
        recorder: Recorder,
        session_limit: SessionLimit,
        successors: Successors,
        tracing: Tracing = OFF,
    ) -> None:
        self._catalog = catalog
        self._routes = routes
        self._pins = pins
        self._decisions = decisions
        self._policy = policy
        self._recorder = recorder
        self._session_limit = session_limit
        self._successors = successors
        self._tracing = tracing

    def resolve(self, request: RouteRequest) -> Decision:
        """The decision for a request: by the session's pin, else a new one, to which the session is then pinned.

        When a part of the pool is away, the decision is the request's own model, unpinned, and names that part.

        Raises Unavailable instead if the operator chose to reject. Raises BadRequest for an unreadable conversation,
        TooManySessions when the client has begun too many, and NotAllowed when the session is pinned to a
        model that the client's key does not cover.
        """
        try:
            decision = _within_allowed(self._found(request), request.allowed)
        except Away as away:
            if isinstance(away, Overdue):
                log.exception("a decision was overdue")
            log.info("not decided", extra=fields(part=away.part, why=str(away)))
            self._recorder.degraded(away.part)
            if self._policy.reject_on_outage:
                overloaded = isinstance(away, TooManyWaiting)
                raise (Overloaded if overloaded else Unavailable)(str(away)) from away
            decision = Decision(models=(request.model.name,), degraded=away.part)
        self._recorder.decided(decision)
        return decision

    def standing(self, request: RouteRequest) -> Decision:
        """The session's pinned model, else the request's own, without another that may answer; pins nothing.

        Raises NotAllowed when the client's key does not cover the pinned model.
        """
        try:
            pinned = self._pinned(request)
        except Away as away:
            return Decision(models=(request.model.name,), alone=True, degraded=away.part)
        decision = _within_allowed(pinned or Decision(models=(request.model.name,)), request.allowed)
        return Decision(models=decision.models[:1], alone=True, pinned=decision.pinned, route=decision.route)

    def _found(self, request: RouteRequest) -> Decision:
        pinned = self._pinned(request)
        if pinned is None:
            return self._decided(request)
        if pinned.alone:  # an operator holds it there
            return pinned
        why = "asked" if request.anew else why_anew(request, pinned.pin, self._policy)
        if why:
            return self._decided_anew(request, pinned, why)
        successor = self._successors.successor(request, pinned)
        if successor:
            return self._handed_over(request, pinned, successor)
        budget = budget_of(request, pinned.pin, self._policy)
        return self._decided_anew(request, pinned, "budget", budget) if budget else pinned

    def _decided_anew(
        self, request: RouteRequest, pinned: Decision, why: str, budget: Budget | None = None
    ) -> Decision:
        """Another decision for a session that has a pin; the pin still decides when nobody can make one."""
        try:
            decision = self._decided(request, pinned.pin, budget, why)
        except Away as away:
            log.info("not decided anew", extra=fields(part=away.part, why=str(away)))
            self._recorder.degraded(away.part)
            return pinned
        if decision.pinned:
            return msgspec.structs.replace(decision, adopted=decision.models[0] != pinned.models[0])
        left = pinned.models[0] if why in WARM and decision.models[0] != pinned.models[0] else None
        return msgspec.structs.replace(decision, redecided=why, left=left)

    def _handed_over(self, request: RouteRequest, pinned: Decision, to: str) -> Decision:
        """The decision for a session whose own model is drained: another candidate; the router is not asked."""
        session, pin = request.session, pinned.pin
        if session is None or pin is None:
            return pinned
        proposed = moved(request, pin, to, "drained")
        standing = self._pins.move(session, pin, proposed)
        if standing is None:
            return self._decided(request)
        if standing != proposed:
            return self._adopted(candidates(standing, self._routes), standing, request, pinned=True)
        decision = self._by_pin((to, *pinned.models), proposed, pinned=False)
        return msgspec.structs.replace(decision, redecided="drained", left=pinned.models[0])

    def _pinned(self, request: RouteRequest) -> Decision | None:
        if request.session is None:
            return None
        with self._tracing.span("redis.pin", request.trace.traceparent, {}):
            pin = self._pins.get(request.session)
        if pin is None:
            return None
        if self._catalog.find(pin.model_name) is None:
            self._pins.drop(request.session, pin)  # its model is not in this config, so the pin is void
            return None
        return self._by_pin(candidates(pin, self._routes), self._fitted(pin, request), pinned=True)

    def _fitted(self, pin: Pin, request: RouteRequest) -> Pin:
        """The pin as it stands once it is as this request needs it."""
        needed = fitted(request, pin)
        if needed is not pin and request.session:
            self._pins.move(request.session, pin, used(needed, time.time()))
        return needed

    def _by_pin(self, models: Iterable[str], pin: Pin, *, pinned: bool, adopted: bool = False) -> Decision:
        """The decision that a pin makes; where it is held, its model answers alone."""
        chosen = self._configured(models)
        if pin.held:
            chosen = chosen[:1]
        return Decision(models=chosen, route=pin.route_name, pinned=pinned, pin=pin, alone=pin.held, adopted=adopted)

    def _configured(self, models: Iterable[str]) -> tuple[str, ...]:
        """The qualified names of those that are configured: a pin may name them by an alias or a bare id."""
        found = map(self._catalog.find, models)
        return tuple(dict.fromkeys(model.name for model in found if model))

    def _decided(
        self, request: RouteRequest, seen: Pin | None = None, budget: Budget | None = None, why: str | None = None
    ) -> Decision:
        """A new decision, which becomes the pin; in place of the `seen` one, if any."""
        request = request.fitting(request) if request.fitting else request
        messages = (
            conversation.read(request.messages, request.conversation_field) if self._is_routed(request, seen) else []
        )
        with self._counted(request, seen):
            if messages:
                return self._by_worker(request, messages, seen, budget, why)
            return self._own(request, seen, why) if budget is None or seen is None else self._kept(request, seen)

    @contextlib.contextmanager
    def _counted(self, request: RouteRequest, seen: Pin | None) -> Iterator[None]:
        """Counts a session that begins, unless it cannot be pinned; raises TooManySessions."""
        begins = request.session and (seen is None or request.anew)
        if begins:
            self._session_limit.admit(request.client())
        try:
            yield
        except Away:
            if begins:
                self._session_limit.give_back(request.client())
            raise

    def _by_worker(
        self,
        request: RouteRequest,
        messages: Sequence[Message],
        seen: Pin | None,
        budget: Budget | None,
        why: str | None,
    ) -> Decision:
        """The decision of a worker."""
        with self._tracing.span("plano.decide", request.trace.traceparent, {}) as span:
            decision_request = DecisionRequest(
                model_name=self._own_name(request, seen),
                session=request.session,
                ttl_s=self._policy.session_ttl_s,
                ttls=ttls_of(self._policy, request, self._own_name(request, None)),
                until=end_of(self._policy),
                seen=seen,
                used_at=use_of(self._policy),
                generation=request.turn.generation if request.turn and self._policy.redecides else None,
                why=why,
                budget=budget,
                foreign_turns=request.turn.length if request.turn and request.is_bound else 0,
                routes=request.routes,
                inline=request.inline,
                messages=tuple(messages),
                request_id=request.trace.request_id,
                traceparent=span.traceparent,
            )
            try:
                result = self._decisions.ask(decision_request, self._policy.decision_budget_s)
            except RouterDown:
                return self._settled_meanwhile(request)
        decision = self._by_result(result, request)
        crossed = not decision.pinned and crosses(request, decision.models[0], seen)
        return msgspec.structs.replace(decision, crossed=crossed) if crossed else decision

    def _own(self, request: RouteRequest, seen: Pin | None, why: str | None) -> Decision:
        """The request's own model, pinned all the same, for a request without routes or without readable messages."""
        model_name = self._own_name(request, seen)
        crossed = crosses(request, model_name, seen)
        if request.session is None:
            return Decision(models=(model_name,), crossed=crossed)
        own_ttl_s = ttls_of(self._policy, request, self._own_name(request, None)).get(model_name)
        foreign_turns = request.turn.length if request.turn and crossed else 0
        proposed = Pin(
            model_name=model_name,
            route_name=None,
            until=end_of(self._policy),
            ttl_s=own_ttl_s,
            used_at=use_of(self._policy),
            generation=request.turn.generation if request.turn and self._policy.redecides else None,
            foreign_turns=foreign_turns,
            left=seen.model_name if seen and seen.model_name != model_name else None,
            why=why if seen and seen.model_name != model_name else None,
        )
        ttl_s = own_ttl_s or self._policy.session_ttl_s
        standing = self._pins.settle(request.session, proposed, ttl_s, seen)
        if standing == proposed:
            return Decision(models=(model_name,), pin=proposed, crossed=crossed)
        return self._adopted(candidates(standing, self._routes), standing, request, pinned=True)

    def _own_name(self, request: RouteRequest, seen: Pin | None) -> str:
        """The model for a request that no route fits: its own, or for a new session what succeeds it if drained."""
        own = request.model.name
        return (self._successors.successor(request, Decision(models=(own,))) if seen is None else None) or own

    def _is_routed(self, request: RouteRequest, seen: Pin | None) -> bool:
        """Whether the router is asked; else the request's own model serves it."""
        turn = request.turn
        if turn and self._policy.user_turns_only and not (turn.is_users or request.anew):
            return False
        stays = request.is_bound and seen is None and not crosses(request, request.model.name, None)
        return bool(request.routes) and not stays

    def _kept(self, request: RouteRequest, pin: Pin) -> Decision:
        """The decision by the pin of a session that has nothing to route by."""
        return self._adopted(candidates(pin, self._routes), pin, request, pinned=True)

    def _settled_meanwhile(self, request: RouteRequest) -> Decision:
        """What the session's pin says after a wait in vain: the result may have been announced while nobody heard."""
        standing = self._pinned(request)
        if standing is None:
            raise RouterDown("no decision was heard in time")
        return msgspec.structs.replace(standing, adopted=True)

    def _by_result(self, result: DecisionResult, request: RouteRequest) -> Decision:
        if result.fault == StoreDown.part:
            raise StoreDown("a worker could not reach Redis")
        if result.fault:
            raise RouterDown(result.fault)
        if result.pin:
            made = self._adopted(result.models, result.pin, request, pinned=result.pinned)
            return msgspec.structs.replace(made, facts=result.facts) if result.facts else made
        models = self._configured(result.models) or (request.model.name,)
        return Decision(models=models, route=result.route, facts=result.facts)

    def _adopted(self, models: tuple[str, ...], pin: Pin, request: RouteRequest, *, pinned: bool) -> Decision:
        """The decision by a pin; the request's own model when a replica with another config made the pin."""
        if self._catalog.find(pin.model_name) is None:
            return Decision(models=(request.model.name,))
        return self._by_pin((pin.model_name, *models), pin, pinned=pinned, adopted=pinned)


def _within_allowed(decision: Decision, allowed: frozenset[str] | None) -> Decision:
    """The decision without the models that the client's key does not cover."""
    if allowed is None:
        return decision
    if decision.models[0] not in allowed:
        raise NotAllowed(f"The session's model {decision.models[0]} is not covered by this API key")
    return msgspec.structs.replace(decision, models=tuple(name for name in decision.models if name in allowed))
