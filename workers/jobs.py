"""The functions that jobs name: they take and return JSON. Each may run twice for one job."""

from typing import Any

import msgspec

from shared.domain.ranking import Kind
from shared.job_messages import DecisionRequest
from shared.log_fields import REQUEST_ID
from workers.services import WorkerServices


def decide(services: WorkerServices, request: dict[str, Any]) -> dict[str, Any]:
    """The result of a DecisionRequest, both as JSON. The worker announces it."""
    asked = msgspec.convert(request, DecisionRequest)
    before = REQUEST_ID.set(asked.request_id)  # of this greenlet: each job has its own
    try:
        return dict(msgspec.to_builtins(services.decider.decide(asked)))
    finally:
        REQUEST_ID.reset(before)


def refresh_metrics(services: WorkerServices, kind: str) -> None:
    """Renew one kind of the snapshot, `cost` or `latency`, from the source that this worker's config names."""
    if services.refresher:
        services.refresher.refresh(Kind(kind))
