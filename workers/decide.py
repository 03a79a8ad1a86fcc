"""Makes a decision: asks the router, ranks the candidates, settles the pin."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.config import Config
from shared.config.values import max_ages_s
from shared.contract import Order, Verdict, adopted
from shared.domain.decisions import Trace
from shared.domain.health import Condition
from shared.domain.pins import Pin
from shared.domain.ranking import EMPTY, Row, Snapshot, Standing, explain, facts_of
from shared.domain.routes import NO_ROUTE, Prefer, Route
from shared.domain.sessions import Session
from shared.errors import Away, StoreDown
from shared.tracing import OFF, Tracing
from workers import router


class Pins(Protocol):
    """Where decisions are settled; raises StoreDown."""

    def settle(self, session: Session, pin: Pin, ttl_s: int) -> Pin:
        """Pin the session unless it is pinned already; return the pin that stands."""


class Metrics(Protocol):
    """Where prices and latencies stand; raises StoreDown."""

    def snapshot(self) -> Snapshot:
        """What was measured last."""


class Cooldowns(Protocol):
    """Who sits out; raises StoreDown."""

    def conditions(self, models: Sequence[str]) -> dict[str, Condition]:
        """What is known of those that have failed."""


class Decider:
    """Turns an order into a verdict; running one twice does no harm."""

    def __init__(
        self,
        *,
        router: "router.Router",
        pins: Pins,
        metrics: Metrics,
        cooldowns: Cooldowns,
        max_ages_s: Mapping[Prefer, float] | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        """Data older than the age for a preference ranks as missing; without an age any data counts."""
        self._router = router
        self._pins = pins
        self._metrics = metrics
        self._cooldowns = cooldowns
        self._max_ages_s = max_ages_s or {}
        self._tracing = tracing

    def decide(self, order: Order) -> Verdict:
        """The ranked models for an order, pinned if it has a session; a fault when something is away."""
        try:
            route = self._route(order)
            with self._tracing.span("rank", order.traceparent, {}) as span:
                rows = self._ranked(route) if route else (Row(order.model_name, Standing.DECLARED),)
                if self._tracing.on:
                    span.note(facts_of(rows, time.time()))
            models = tuple(row.model for row in rows)
            with self._tracing.span("settle", order.traceparent, {}):
                return self._settled(order, models, route.name if route else None)
        except Away as away:
            return Verdict(fault=away.part)

    def _route(self, order: Order) -> Route | None:
        with self._tracing.span("arch-router", order.traceparent, {}) as span:
            trace = Trace(order.request_id, span.traceparent)
            name = self._router.choose(order.routes, order.messages, trace)
            span.note({"plano.route": name or NO_ROUTE})
        return next((route for route in order.routes if route.name == name), None)

    def _ranked(self, route: Route) -> tuple[Row, ...]:
        """The candidates as the route prefers them; those that sit out come last, and stay in the list."""
        snapshot = EMPTY if route.prefer is Prefer.NONE else self._snapshot()
        since = time.time() - self._max_ages_s.get(route.prefer, math.inf)
        conditions = self._conditions(route.models)
        return explain(route.models, route.prefer, snapshot, since=since, conditions=conditions)

    def _conditions(self, models: tuple[str, ...]) -> Mapping[str, Condition]:
        try:
            return self._cooldowns.conditions(models)
        except StoreDown:
            return {}  # settling will tell whether Redis is away

    def _snapshot(self) -> Snapshot:
        try:
            return self._metrics.snapshot()
        except StoreDown:
            return EMPTY  # the declared order serves; settling will tell whether Redis is away

    def _settled(self, order: Order, models: tuple[str, ...], route_name: str | None) -> Verdict:
        if order.session:
            proposed = Pin(
                model_name=models[0],
                route_name=route_name,
                models=models if order.inline and route_name else None,
                until=order.until,
            )
            standing = self._pins.settle(order.session, proposed, order.ttl_s)
            if standing != proposed:
                return adopted(standing, order)
            return Verdict(models=models, route=route_name, pin=proposed)
        return Verdict(models=models, route=route_name)


def build(config: Config, pins: Pins, metrics: Metrics, cooldowns: Cooldowns, tracing: Tracing) -> Decider:
    """The decider that a config asks for."""
    return Decider(
        router=router.build(config.router),
        pins=pins,
        metrics=metrics,
        cooldowns=cooldowns,
        max_ages_s=max_ages_s(config.sources),
        tracing=tracing,
    )
