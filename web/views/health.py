"""Whether the process lives, and whether it can serve."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from web.services import services

bp = Blueprint("health", __name__)


@bp.get("/livez")
@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers; nothing else is touched."""
    return {"status": "alive"}


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Each part's state: 200 when all that is needed is there, else 503."""
    is_ready, report = services().health.report()
    return jsonify(report), 200 if is_ready else 503
