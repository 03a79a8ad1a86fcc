"""The decision alone, for clients that call the model themselves."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web import deciding, wire

bp = Blueprint("decisions", __name__)


@bp.post("/routing/v1/chat/completions")
def decide() -> ResponseReturnValue:
    """Answer which model this request would go to."""
    asked = wire.call(request.environ)
    return wire.decision(asked, deciding.decision(asked))
