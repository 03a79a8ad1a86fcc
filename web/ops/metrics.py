"""The counters, each declared once. /metrics shows them summed over all processes of a replica."""

import os
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

from shared.domain.decisions import Decision

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

_DEGRADED = Counter("plano_degraded_total", "Requests for which a part of the pool was away", ["part"])
_UNREADABLE = Counter("plano_unreadable_total", "Values in Redis that could not be used, by kind", ["kind"])
_DECISIONS = Counter("plano_decisions_total", "Decisions, by what made them: pin, route, own model", ["by"])
_BY_PIN, _BY_ROUTE, _BY_OWN = map(_DECISIONS.labels, ("pin", "route", "own"))
_TOKENS = Counter("plano_tokens_total", "Tokens that answers say they used", ["model", "tenant", "kind"])
_COST = Counter("plano_cost_usd_total", "What they cost by the prices of the cost source", ["model", "tenant"])
_KEPT = Counter("plano_kept_usd_total", "What prompt caches kept from being paid", ["model", "tenant"])
_LOST = Counter("plano_lost_usd_total", "What it cost that sessions left a warm prompt cache, by why", ["reason"])
_RECORDS_DROPPED = Counter(
    "plano_records_dropped_total", "Sessions whose records lack a second, since Redis did not take it"
)
_UNEXPLAINED = Counter("plano_unexplained_switch_total", "Sessions served by another model for no known reason")
_UNSAVED = Counter("plano_savings_dropped_total", "Seconds whose costs Redis did not take for `plano savings`")


_DROPPED = Counter("plano_dropped_reasoning_total", "Requests sent without another model's reasoning", ["model"])
_BROKEN = Counter(
    "plano_broken_pins_total", "Answers whose model could not read its conversation's reasoning", ["model"]
)


def degraded(part: str) -> None:
    """Count a request for which a part of the pool was away."""
    _DEGRADED.labels(part).inc()


def unreadable(kind: str) -> None:
    """Count a value in Redis that cannot be used; it counts as absent."""
    _UNREADABLE.labels(kind).inc()


def decided(decision: Decision) -> None:
    """Count a decision."""
    (_BY_PIN if decision.pinned else _BY_ROUTE if decision.route else _BY_OWN).inc()


def used(model: str, tenant: str, tokens: Mapping[str, int]) -> None:
    """Count tokens by their kind, as Usage names them."""
    for kind, count in tokens.items():
        _TOKENS.labels(model, tenant, kind).inc(count)


def spent(model: str, tenant: str, usd: float) -> None:
    """Count dollars that answers have cost."""
    _COST.labels(model, tenant).inc(usd)


def reasoning_dropped(model: str) -> None:
    """Count a request that a model was sent without the reasoning of another one."""
    _DROPPED.labels(model).inc()


def pin_broken(model: str) -> None:
    """Count an answer whose provider says that its model could not read the reasoning of the conversation."""
    _BROKEN.labels(model).inc()


def kept(model: str, tenant: str, usd: float) -> None:
    """Count dollars that prompt caches have saved."""
    _KEPT.labels(model, tenant).inc(usd)


def lost(reason: str, usd: float) -> None:
    """Count dollars that re-warming a prompt cache has cost."""
    _LOST.labels(reason).inc(usd)


def unsaved() -> None:
    """Count a second whose dollars `plano savings` does not know."""
    _UNSAVED.inc()


def records_dropped(sessions: int) -> None:
    """Count sessions whose last second is in no record."""
    _RECORDS_DROPPED.inc(sessions)


def unexplained_switch() -> None:
    """Count a session that was served by another model although no event says why."""
    _UNEXPLAINED.inc()


def exposition() -> bytes:
    """All counters in Prometheus' text format."""
    if DIRECTORY not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)
