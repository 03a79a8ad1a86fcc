"""The decision alone, for clients that call the model themselves."""

from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from shared.domain.decisions import Decision, RouteRequest
from web.api import client_request, deciding
from web.dialects import body, chat
from web.proxy.response import ReadyResponse, decision_headers

bp = Blueprint("decisions", __name__)


@bp.post("/routing/v1/chat/completions")
def decide() -> ResponseReturnValue:
    """Answer which model this request would go to."""
    asked = client_request.read(request.environ, chat)
    return _answer(asked.route, deciding.decide(asked.route))


def _answer(asked: RouteRequest, decision: Decision) -> Response:
    content: dict[str, Any] = {
        "models": decision.models,
        "route": decision.route,
        "trace_id": asked.trace.trace_id,
    }
    if asked.session:
        content["session_id"] = asked.session.id
    content["pinned"] = decision.pinned
    ids = [("x-request-id", asked.trace.request_id), ("content-type", "application/json")]
    return ReadyResponse(body.encode(content), headers=[*decision_headers(decision), *ids])
