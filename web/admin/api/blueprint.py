"""The operator's API: every endpoint, its document, and the check of the token."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from shared.errors import Denied
from web.admin.api import models, pin_keys, pool, sessions
from web.admin.api.openapi import BASE, document
from web.admin.headers import secured
from web.admin.public_paths import logins

ENDPOINTS = (*sessions.ENDPOINTS, *models.ENDPOINTS, *pool.ENDPOINTS, *pin_keys.ENDPOINTS)

bp = Blueprint("admin_api", __name__, url_prefix=BASE)
bp.after_request(secured)
for _each in ENDPOINTS:
    bp.add_url_rule(_each.path, _each.name, _each.view, methods=[_each.method])


@bp.before_request
def guard() -> None:
    """Raise Denied unless the request has the admin token. A browser's cookie does not count here."""
    kind, _, credential = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not logins().knows(
        credential.strip().encode("latin-1").decode("utf-8", "replace")
    ):
        raise Denied("The admin token is missing or wrong; send it as `Authorization: Bearer <PLANO_ADMIN_TOKEN>`")


@bp.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """The document that describes this API."""
    return document(ENDPOINTS)
