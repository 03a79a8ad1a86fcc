"""What all pages have in common: the login, the check of forms, the frame and the answer to errors."""

import hmac
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from shared.errors import FormExpired, PlanoError
from shared.operations.words import clock, span
from web.admin.api.endpoint import plain
from web.admin.headers import secured
from web.admin.login import Operator
from web.admin.pages import shown
from web.admin.public_paths import operator
from web.dialects.error_table import info_of
from web.services import current_services

_FILTERS = (shown.usd, shown.ago, shown.number, shown.rate, span, clock)


def pages() -> Blueprint:
    """A blueprint without its pages; whoever is not logged in is sent to the login, whatever is asked for."""
    bp = Blueprint("admin", __name__, url_prefix="/admin", template_folder="../templates")
    bp.before_request(_enter)
    bp.after_request(secured)
    bp.register_error_handler(PlanoError, _refused)
    for each in _FILTERS:
        bp.add_app_template_filter(each)
    return bp


def render(template: str, **values: Any) -> str:
    """A page in its frame, in plain text whatever a session is called or a query looks for."""
    return plain(render_template(template, operator=current_operator(), here=request.path, **values))


def current_operator() -> Operator | None:
    """Who is logged in; None only before the login was looked at."""
    found: Operator | None = g.get("operator")
    return found


def alone() -> bool:
    """Whether this process is the whole pool, and keeps what it knows in its memory."""
    return current_services().config.routing.session_cache.type == "memory"


def who() -> str:
    """The name that is kept with what this request changes."""
    found = current_operator()
    return found.name if found else ""


def _enter() -> ResponseReturnValue | None:
    """Let in who is logged in; raises FormExpired for a change that no form of ours asks for."""
    found = operator()
    if found is None:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else "/admin/"
        login = f"/admin/login?next={quote(wanted, safe='/')}"
        if "HX-Request" in request.headers:  # a part of a page cannot be replaced by the login
            return Response(status=401, headers={"HX-Redirect": login})
        return redirect(login, 303)
    g.operator = found
    if request.method == "POST":
        offered = request.form.get("csrf", "").encode("utf-8", "replace")
        if not hmac.compare_digest(offered, found.csrf.encode()):
            raise FormExpired("The form was not sent by this page, or is of an earlier login. Open the page anew.")
    return None


def _refused(error: PlanoError) -> Response:
    """An error as a page."""
    info = info_of(error)
    body = render("error.html", info=info, words=(info.code or info.type).replace("_", " "))
    return Response(body, info.status, content_type="text/html; charset=utf-8")
