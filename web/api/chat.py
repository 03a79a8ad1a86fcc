"""The gateway itself: a request in, the chosen model's answer out."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web.api import deciding
from web.api.reading import client_request
from web.dialects import chat
from web.services import current_services

bp = Blueprint("chat", __name__)


@bp.post("/v1/chat/completions")
def complete() -> ResponseReturnValue:
    """Route or reuse the pin, and relay to the model."""
    services = current_services()
    asked = client_request.read(services, request.environ, chat)
    return services.relay.answer(asked, deciding.decide(services, asked.route))
