"""Makes a decision: asks the router, ranks the candidates, settles the pin."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from shared.config import Config
from shared.config.sections import max_ages_s
from shared.domain.availability.cooldowns import Cooldown
from shared.domain.decisions import Trace
from shared.domain.money.switching import Budget
from shared.domain.pins import Pin, with_candidates
from shared.domain.ranking import EMPTY, Row, Snapshot, Standing, explain, facts_of, figures_of
from shared.domain.routes import NO_ROUTE, Prefer, Route
from shared.domain.sessions import Session
from shared.errors import Away, StoreDown
from shared.job_messages import DecisionRequest, DecisionResult, adopted
from shared.outgoing import Outgoing
from shared.routing.draining import Drained, NoneDrained
from shared.tracing import OFF, Tracing
from workers import router
from workers.switching import Budgets, switched


class Pins(Protocol):
    """Keeps pins; raises StoreDown."""

    def settle(self, session: Session, pin: Pin, ttl_s: int, seen: Pin | None = None) -> Pin:
        """Pin the session unless it is pinned already, to another model than the `seen` one; return what stands."""


class Metrics(Protocol):
    """Knows the prices and latencies of the models; raises StoreDown."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Cooldowns(Protocol):
    """Knows which models sit out; raises StoreDown."""

    def known(self, models: Sequence[str]) -> dict[str, Cooldown]:
        """The cooldowns of those models that have failed."""


class Decider:
    """Turns a request into a result; running one twice does no harm."""

    def __init__(
        self,
        *,
        router: "router.Router",
        pins: Pins,
        metrics: Metrics,
        cooldowns: Cooldowns,
        drains: Drained | None = None,
        max_ages_s: Mapping[Prefer, float] | None = None,
        tracing: Tracing = OFF,
        budgets: Budgets | None = None,
    ) -> None:
        """`max_ages_s` says for each preference how old data may be. Older data counts as missing.

        Without `budgets` no session changes its model when it pays.
        """
        self._budgets = budgets
        self._router = router
        self._pins = pins
        self._metrics = metrics
        self._cooldowns = cooldowns
        self._drains = drains or NoneDrained()
        self._max_ages_s = max_ages_s or {}
        self._tracing = tracing

    def decide(self, request: DecisionRequest) -> DecisionResult:
        """The ranked models for a request, pinned if it has a session; a fault when a part of the pool is away."""
        try:
            began = time.monotonic()
            route = self._route(request)
            router_ms = round((time.monotonic() - began) * 1000, 1)
            with self._tracing.span("rank", request.traceparent, {}) as span:
                rows = self._ranked(route) if route else (Row(request.model_name, Standing.DECLARED),)
                if self._tracing.on:
                    span.note(facts_of(rows, time.time()))
            models = tuple(row.model for row in rows)
            facts = {"router_ms": router_ms, **figures_of(rows, time.time())}
            with self._tracing.span("settle", request.traceparent, {}):
                settled = self._settled(request, models, route.name if route else None)
            return settled if settled.pinned else msgspec.structs.replace(settled, facts=facts)
        except Away as away:
            return DecisionResult(fault=away.part)

    def _route(self, request: DecisionRequest) -> Route | None:
        with self._tracing.span("arch-router", request.traceparent, {}) as span:
            trace = Trace(request.request_id, span.traceparent)
            name = self._router.choose(request.routes, request.messages, trace)
            span.note({"plano.route": name or NO_ROUTE})
        return next((route for route in request.routes if route.name == name), None)

    def _ranked(self, route: Route) -> tuple[Row, ...]:
        """The candidates as the route prefers them; those that are drained or sit out come last."""
        snapshot = EMPTY if route.prefer is Prefer.NONE else self._snapshot()
        since = time.time() - self._max_ages_s.get(route.prefer, math.inf)
        cooldowns = self._cooldowns_of(route.models)
        drains = self._drains.known
        return explain(route.models, route.prefer, snapshot, since=since, cooldowns=cooldowns, drains=drains)

    def _cooldowns_of(self, models: tuple[str, ...]) -> Mapping[str, Cooldown]:
        try:
            return self._cooldowns.known(models)
        except StoreDown:
            return {}  # settling the pin will raise it again, if Redis is away

    def _snapshot(self) -> Snapshot:
        try:
            return self._metrics.snapshot()
        except StoreDown:
            return EMPTY  # the declared order serves; settling the pin will raise it again, if Redis is away

    def _settled(self, request: DecisionRequest, models: tuple[str, ...], route_name: str | None) -> DecisionResult:
        if request.session is None:
            return DecisionResult(models=models, route=route_name)
        own_ttl_s = request.ttls.get(models[0])
        stays = request.seen is not None and request.seen.model_name == models[0]
        proposed = Pin(
            model_name=models[0],
            route_name=route_name,
            until=request.until,
            ttl_s=own_ttl_s,
            used_at=request.used_at,
            generation=request.generation,
            foreign_turns=request.seen.foreign_turns if request.seen and stays else request.foreign_turns,
            left=request.seen.model_name if request.seen and not stays else None,
            why=None if stays else request.why,
        )
        if request.inline and route_name:
            proposed = with_candidates(proposed, models)
        if request.budget:
            return self._switched(request, request.budget, proposed)
        standing = self._pins.settle(request.session, proposed, own_ttl_s or request.ttl_s, request.seen)
        if standing != proposed:
            return adopted(standing, request)
        return DecisionResult(models=models, route=route_name, pin=proposed)

    def _switched(self, request: DecisionRequest, budget: Budget, proposed: Pin) -> DecisionResult:
        """The result for a session that may change its model if it can pay. Without another route it stays."""
        same = request.seen is None or proposed.route_name in (None, request.seen.route_name)
        if same or self._budgets is None:
            return adopted(request.seen or proposed, request)
        return switched(request, budget, proposed, self._snapshot().prices, self._budgets)


def build(
    config: Config,
    pins: Pins,
    metrics: Metrics,
    cooldowns: Cooldowns,
    tracing: Tracing,
    *,
    drains: Drained | None = None,
    outgoing: Outgoing,
    budgets: Budgets | None = None,
) -> Decider:
    """The decider that a config asks for."""
    return Decider(
        router=router.build(config.router, outgoing),
        pins=pins,
        metrics=metrics,
        cooldowns=cooldowns,
        drains=drains,
        max_ages_s=max_ages_s(config.sources),
        tracing=tracing,
        budgets=budgets,
    )
