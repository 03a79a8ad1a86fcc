"""The decision alone, for clients that call the model themselves."""

import time
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from shared.domain.decisions import Decision, RouteRequest
from web.api import deciding
from web.api.reading import client_request
from web.dialects import chat, messages, responses
from web.dialects.dialect import Dialect
from web.dialects.fields import body
from web.proxy.response import decision_headers, session_headers
from web.proxy.wsgi_response import WsgiResponse
from web.services import current_services

bp = Blueprint("decisions", __name__)


@bp.post("/routing/v1/chat/completions")
def decide() -> ResponseReturnValue:
    """Answer which model this request would go to."""
    return _decided(chat)


@bp.post("/routing/v1/messages")
def decide_messages() -> ResponseReturnValue:
    """The same for a request of the Messages API."""
    return _decided(messages)


@bp.post("/routing/v1/responses")
def decide_response() -> ResponseReturnValue:
    """The same for a request of the Responses API."""
    return _decided(responses)


def _decided(dialect: Dialect) -> WsgiResponse:
    services = current_services()
    asked = client_request.read(services, request.environ, dialect)
    decision = deciding.decide(services, asked.route)
    services.stats.asked()
    services.records.served(asked.route.session, decision, decision.models[0], time.time())
    return _answer(asked.route, decision)


def _answer(asked: RouteRequest, decision: Decision) -> WsgiResponse:
    content: dict[str, Any] = {
        "models": decision.models,
        "route": decision.route,
        "trace_id": asked.trace.trace_id,
    }
    if asked.session:
        content["session_id"] = asked.session.id
    content["pinned"] = decision.pinned
    ids = [
        *session_headers(request.environ),
        ("x-request-id", asked.trace.request_id),
        ("content-type", "application/json"),
    ]
    return WsgiResponse(body.encode(content), headers=[*decision_headers(decision), *ids])
