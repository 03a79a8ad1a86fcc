"""The list of models."""

from collections.abc import Collection

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from shared.domain.catalog import Catalog, Model
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
    """The models that the client's key covers, as the OpenAI API lists them."""
    key, catalog = current_services().access.key(request.environ), current_services().config.catalog
    models = [
        {"id": model.name, "object": "model", "created": _CREATED, "owned_by": model.provider.name}
        for model in (catalog.models if key is None or key.models is None else _covered(key.models, catalog))
    ]
    listing = body.encode({"object": "list", "data": models})
    return Response(listing, headers={"Access-Control-Allow-Origin": "*"}, content_type="application/json")


def _covered(names: Collection[str], catalog: Catalog) -> list[Model]:
    """These models, in the order of the config; then those that only a wildcard serves."""
    configured = [model for model in catalog.models if model.name in names]
    others = set(names) - {model.name for model in configured}
    return configured + [catalog.get(name) for name in names if name in others]


@bp.route("/v1/models", methods=["OPTIONS"])
def preflight() -> ResponseReturnValue:
    """Let pages of other origins read the list."""
    return Response(status=204, headers=_PREFLIGHT)
