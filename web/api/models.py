"""The list of models."""

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from web.dialects import body
from web.services import current_services

bp = Blueprint("models", __name__)

_CREATED = 0  # the OpenAI API wants a time; a configured model has none that means anything
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


@bp.get("/v1/models")
def listed() -> ResponseReturnValue:
    """Every configured model, as the OpenAI API lists them."""
    current_services().access.key(request.environ)
    models = [
        {"id": model.name, "object": "model", "created": _CREATED, "owned_by": model.provider.name}
        for model in current_services().config.catalog.models
    ]
    listing = body.encode({"object": "list", "data": models})
    return Response(listing, headers={"Access-Control-Allow-Origin": "*"}, content_type="application/json")


@bp.route("/v1/models", methods=["OPTIONS"])
def preflight() -> ResponseReturnValue:
    """Let pages of other origins read the list."""
    return Response(status=204, headers=_PREFLIGHT)
