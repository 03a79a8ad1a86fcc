"""The endpoints for operators and balancers: whether the process lives, whether it can serve, and its counters."""

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from web.access_keys import require_token
from web.ops import metrics
from web.services import current_services

bp = Blueprint("probes", __name__)


@bp.get("/livez")
@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers; nothing else is touched."""
    return {"status": "alive"}


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Each part's state, with 200 when this replica should get requests, else with 503."""
    is_ready, report = current_services().health.report()
    return jsonify(report), 200 if is_ready else 503


@bp.get("/metrics")
def counters() -> ResponseReturnValue:
    """The counters for Prometheus, of all processes of this replica, summed; with a token where one is set."""
    token = current_services().settings.metrics_token
    if token:
        require_token(request.environ, token, "PLANO_METRICS_TOKEN")
    return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
