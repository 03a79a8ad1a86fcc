"""Embeddings and the older completions: passed on to their model's provider."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from shared.domain.decisions import Decision
from web.api.reading import client_request
from web.dialects.passthrough import COMPLETIONS, EMBEDDINGS, Passed
from web.services import current_services

bp = Blueprint("passed", __name__)


@bp.post("/v1/embeddings")
def embed() -> ResponseReturnValue:
    """Vectors for texts."""
    return _passed(EMBEDDINGS)


@bp.post("/v1/completions")
def complete() -> ResponseReturnValue:
    """The rest of a text."""
    return _passed(COMPLETIONS)


def _passed(dialect: Passed) -> ResponseReturnValue:
    services = current_services()
    asked = client_request.read(services, request.environ, dialect)
    decision = Decision(models=(asked.route.model.name,), alone=True)
    return services.relay.answer(asked, decision)
