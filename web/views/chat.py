"""The gateway itself: a request in, the chosen model's answer out."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web import deciding, relay, wire

bp = Blueprint("chat", __name__)


@bp.post("/v1/chat/completions")
def complete() -> ResponseReturnValue:
    """Route or reuse the pin, and relay to the model."""
    asked = wire.call(request.environ)
    return relay.answer(asked, deciding.decision(asked), "/chat/completions")
