"""Builds the routing that a config asks for."""

from shared.config import Config
from shared.domain.ranking import Kind
from shared.domain.routes import model_names
from shared.routing.affinity import Affinity
from shared.routing.draining import Drained, Successors
from shared.routing.failover import Cooldowns, Failover, Movable, OnFailure, Rules
from shared.routing.ports import Decisions, Pins, Policy, Recorder, SessionLimit
from shared.tracing import Tracing


def build_affinity(
    config: Config,
    *,
    pins: Pins,
    decisions: Decisions,
    session_limit: SessionLimit,
    successors: Successors,
    recorder: Recorder,
    traces: Tracing,
) -> Affinity:
    """What finds the model for a request."""
    routing = config.routing
    policy = Policy(
        session_ttl_s=routing.session_ttl_seconds,
        session_max_age_s=None if routing.session_ttl_mode == "fixed" else routing.session_max_age_seconds,
        budget_percent=_budget_percent(config),
        user_turns_only=routing.route_on_user_only,
        redecides=routing.redecide == "when_cold",
        ttl_of_cache=routing.session_ttl_mode == "cache",
        decision_budget_s=routing.decision_timeout_ms / 1000,
        reject_on_outage=routing.on_outage == "reject",
    )
    return Affinity(
        catalog=config.catalog,
        routes=config.routes,
        pins=pins,
        decisions=decisions,
        policy=policy,
        recorder=recorder,
        session_limit=session_limit,
        successors=successors,
        tracing=traces,
    )


def build_failover(config: Config, cooldowns: Cooldowns, pins: Movable, drains: Drained) -> Failover:
    """What knows who answers when a model fails or is drained."""
    routing, catalog = config.routing, config.catalog
    rules = Rules(
        on_failure=OnFailure(routing.on_failure),
        max_attempts=routing.max_attempts,
        default=catalog.default.name if routing.fallback_to_default and catalog.default else None,
    )
    return Failover(cooldowns, pins, model_names(catalog, config.routes), rules, drains)


def _budget_percent(config: Config) -> float | None:
    """How much of its savings a session may spend; None where nobody knows what it has saved."""
    budget = config.routing.routing_budget
    known = Kind.COST in config.source_types and config.routing.session_cache.type == "redis"
    return budget.percent if budget and known else None
