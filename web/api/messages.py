"""The Messages API of Anthropic."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web.api import deciding
from web.api.reading import client_request
from web.dialects import messages
from web.dialects.fields import body
from web.proxy.response import decision_headers, session_headers
from web.proxy.wsgi_response import WsgiResponse
from web.services import current_services
from web.translation import estimate

bp = Blueprint("messages", __name__)


@bp.post("/v1/messages")
def create() -> ResponseReturnValue:
    """Route or reuse the pin, and relay to the model."""
    services = current_services()
    asked = client_request.read(services, request.environ, messages)
    return services.relay.answer(asked, deciding.decide(services, asked.route))


@bp.post("/v1/messages/count_tokens")
def count() -> ResponseReturnValue:
    """Have the session's model count, where its provider can, else estimate; nothing is pinned."""
    services = current_services()
    asked = client_request.read(services, request.environ, messages, "/count_tokens")
    decision = services.affinity.standing(asked.route)
    if asked.asked.is_spoken_by(services.config.catalog.get(decision.models[0])):
        return services.relay.answer(asked, decision)
    services.stats.asked()
    content = body.encode({"input_tokens": estimate.tokens(asked.asked.decoded())})
    headers = [
        *decision_headers(decision),
        *session_headers(request.environ),
        ("x-plano-estimated", "true"),
        ("x-request-id", asked.route.trace.request_id),
        ("content-type", "application/json"),
    ]
    return WsgiResponse(content, headers=headers)
