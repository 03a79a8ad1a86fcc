"""The models that a client may use: the list, and each by itself."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from shared.domain.catalog import LONGEST_MODEL, Catalog, Model
from shared.errors import UnknownModel
from web.dialects import model_lists
from web.dialects.fields import body
from web.services import current_services

bp = Blueprint("models", __name__)

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


@bp.get("/v1/models")
def listed() -> ResponseReturnValue:
    """The models that the client's key covers, in the shape of the client's API."""
    models = _covered(_names_of_key(), current_services().config.catalog)
    page = model_lists.page_for(_headers(), request.args)
    return _answer(page(models, request.args))


@bp.get("/v1/models/<path:written>")
def one(written: str) -> ResponseReturnValue:
    """One of these models, by any of its names; its slash may be percent-encoded. Raises UnknownModel."""
    name, names = unquote(written), _names_of_key()
    model = current_services().config.catalog.find(name) if len(name) <= LONGEST_MODEL else None
    if model is None or (names is not None and model.name not in names):
        raise UnknownModel(
            f"The model {name!r} is not configured; GET /v1/models lists those that are", param="model"
        )
    is_anthropic = model_lists.is_anthropic(_headers())
    return _answer((model_lists.anthropic_entry if is_anthropic else model_lists.openai_entry)(model))


def _names_of_key() -> Collection[str] | None:
    """The models that the client's key covers; None for all. Raises Denied."""
    key = current_services().access.key(request.environ)
    return key.models if key else None


def _covered(names: Collection[str] | None, catalog: Catalog) -> list[Model]:
    """These models, in the order of the config; then those that only a wildcard serves."""
    if names is None:
        return list(catalog.models)
    configured = [model for model in catalog.models if model.name in names]
    others = set(names) - {model.name for model in configured}
    return configured + [catalog.get(name) for name in names if name in others]


def _headers() -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.headers}


def _answer(content: dict[str, Any]) -> Response:
    headers = {"Access-Control-Allow-Origin": "*"}
    return Response(body.encode(content), headers=headers, content_type="application/json")


@bp.route("/v1/models", methods=["OPTIONS"])
@bp.route("/v1/models/<path:written>", methods=["OPTIONS"])
def preflight(written: str = "") -> ResponseReturnValue:  # noqa: ARG001 - the same for each
    """Let pages of other origins read the list."""
    return Response(status=204, headers=_PREFLIGHT)
