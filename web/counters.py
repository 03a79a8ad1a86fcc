"""What is counted, each name declared once; shown at /metrics for all processes of a replica."""

import os

from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

DEGRADED = Counter("plano_degraded_total", "Requests served by their own model because a part was away", ["part"])
DECISIONS = Counter("plano_decisions_total", "Decisions, by what made them", ["by"])


def degraded(part: str) -> None:
    """Count a request that met a part that was away."""
    DEGRADED.labels(part).inc()


def exposition() -> bytes:
    """All counters in Prometheus' text format."""
    if DIRECTORY not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)
