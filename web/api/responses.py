"""The Responses API of OpenAI."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web.api import deciding
from web.api.reading import client_request, response_owner
from web.dialects import responses
from web.services import current_services

bp = Blueprint("responses", __name__)


@bp.post("/v1/responses")
def create() -> ResponseReturnValue:
    """Relay to the model that made the previous response; without one route or reuse the pin."""
    return _answered("")


@bp.post("/v1/responses/compact")
def compact() -> ResponseReturnValue:
    """Have the session's model compact its conversation."""
    return _answered("/compact")


def _answered(suffix: str) -> ResponseReturnValue:
    services = current_services()
    asked = client_request.read(services, request.environ, responses, suffix)
    previous = responses.previous(asked.asked.fields)
    if previous:
        return services.relay.answer(asked, response_owner.previous(services, asked, previous))
    return services.relay.answer(asked, deciding.decide(services, asked.route))


@bp.get("/v1/responses/<response_id>")
def retrieve(response_id: str) -> ResponseReturnValue:
    """A response that its provider keeps."""
    return _kept(response_id, "GET")


@bp.delete("/v1/responses/<response_id>")
def delete(response_id: str) -> ResponseReturnValue:
    """Have its provider forget a response."""
    return _kept(response_id, "DELETE")


@bp.post("/v1/responses/<response_id>/cancel")
def cancel(response_id: str) -> ResponseReturnValue:
    """Stop a response that is made in the background."""
    return _kept(response_id, "POST", "/cancel")


def _kept(response_id: str, method: str, suffix: str = "") -> ResponseReturnValue:
    services = current_services()
    asked, decision = response_owner.request(services, request.environ, response_id, method=method, suffix=suffix)
    return services.relay.answer(asked, decision)
