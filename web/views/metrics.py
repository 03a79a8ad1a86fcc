"""The counters, for Prometheus."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from web import counters

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """All processes of this replica, summed."""
    return Response(counters.exposition(), content_type=CONTENT_TYPE_LATEST)
