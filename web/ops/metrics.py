"""The metrics, each declared once. /metrics shows them for all processes of a replica together."""

import os
from collections.abc import Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from shared.domain.decisions import Decision
from web.ops.batched_counters import Exposed, Gathered, GatheredHistogram

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

_GATHERED = Gathered()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

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
_RESPONSES = Counter("plano_responses_total", "Answers to clients, by status; 499: the client had gone", ["code"])
_BY_CODE: dict[int, Counter] = {}
_FAILED = Counter("plano_failed_attempts_total", "Requests to providers that failed", ["model", "outcome"])
_DECISION = Histogram(
    "plano_decision_seconds", "How long a request waited for a decision that no pin made", buckets=_SECONDS
)
_FIRST_BYTE = GatheredHistogram(
    _GATHERED, "plano_first_byte_seconds", "How long a model's answers took to begin", "model", _SECONDS
)

_DROPPED = Counter("plano_dropped_reasoning_total", "Requests sent without another model's reasoning", ["model"])
_BROKEN = Counter(
    "plano_broken_pins_total", "Answers whose model could not read its conversation's reasoning", ["model"]
)

# For Prometheus a series that begins at 1 has never risen: it must have been there before.
for _part in ("redis", "queue", "router"):
    _DEGRADED.labels(_part)
for _reason in ("move", "borrow", "redecision", "outage"):
    _LOST.labels(_reason)

# What each process sees of the pool: one of those that live speaks for all.
_NEWEST: Final = "livemostrecent"
_ANY: Final = "livemax"
_INFO = Gauge("plano_build_info", "Always 1", ["version", "config"], multiprocess_mode=_ANY)
_WORKERS = Gauge("plano_workers", "Worker processes that live", multiprocess_mode=_NEWEST)
_WAITING = Gauge("plano_queue_waiting_jobs", "Jobs that no worker has taken yet", multiprocess_mode=_NEWEST)
_COOLING = Gauge("plano_model_cooling", "1 while a model sits out", ["model"], multiprocess_mode=_ANY)
_MODELS = Gauge(
    "plano_models", "Configured models, by whether a price is known", ["priced"], multiprocess_mode=_NEWEST
)


def degraded(part: str) -> None:
    """Count a request for which a part of the pool was away."""
    _DEGRADED.labels(part).inc()


def unreadable(kind: str) -> None:
    """Count a value in Redis that cannot be used; it counts as absent."""
    _UNREADABLE.labels(kind).inc()


def decided(decision: Decision) -> None:
    """Count a decision."""
    _GATHERED.add(_BY_PIN if decision.pinned else _BY_ROUTE if decision.route else _BY_OWN)


def waited(seconds: float) -> None:
    """Count how long a decision took that no pin made."""
    _DECISION.observe(seconds)


def responded(code: int) -> None:
    """Count an answer to a client."""
    _GATHERED.add(_BY_CODE.get(code) or _BY_CODE.setdefault(code, _RESPONSES.labels(str(code))))


def failed(model: str, outcome: str) -> None:
    """Count a request to a provider that has failed: by its status, or `timeout` or `unreachable`."""
    _FAILED.labels(model, outcome).inc()


def first_byte(model: str, seconds: float) -> None:
    """Count how long an answer took to begin."""
    _FIRST_BYTE.add(model, seconds)


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


def described(version: str, config: str) -> None:
    """Show the version and the digest of the config that this process serves."""
    _INFO.labels(version, config).set(1)


def queued(workers: float, waiting: float) -> None:
    """Show how many workers live, and how many jobs wait; NaN: nobody can know."""
    _WORKERS.set(workers)
    _WAITING.set(waiting)


def cooling(model: str, *, cools: bool) -> None:
    """Show whether a model sits out."""
    _COOLING.labels(model).set(cools)


def priced(known: int, unknown: int) -> None:
    """Show of how many models the price is known."""
    _MODELS.labels("true").set(known)
    _MODELS.labels("false").set(unknown)


def publish() -> None:
    """Bring what requests have added in the last second to the counters."""
    _GATHERED.publish()


def exposition() -> bytes:
    """All metrics in Prometheus' text format; what other processes have added in their last second comes later."""
    publish()
    source = REGISTRY
    if DIRECTORY in os.environ:
        source = CollectorRegistry()
        multiprocess.MultiProcessCollector(source)
    exposed = CollectorRegistry()
    exposed.register(Exposed(source, (_FIRST_BYTE,)))
    return generate_latest(exposed)
