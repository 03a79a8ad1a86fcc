"""What is open under /admin without a login: the login itself, and the files that its page needs."""

import mimetypes
import re
from pathlib import Path

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join
from werkzeug.wrappers import Response

from web.admin.headers import secured
from web.admin.login import COOKIE, LASTS_S, MOST_NAME, Logins, Operator
from web.services import current_services

bp = Blueprint("public", __name__, url_prefix="/admin", template_folder="templates")
bp.after_request(secured)

HOME = "/admin/"
_STATIC = Path(__file__).parent / "static"
_YEAR_S = 365 * 24 * 3600


def logins() -> Logins:
    """The logins of this pool."""
    return Logins(current_services().settings.admin_token or "")


def operator() -> Operator | None:
    """Who sends this request, by its cookie."""
    return logins().operator(request.cookies.get(COOKIE, ""))


@bp.get("/login")
def login() -> ResponseReturnValue:
    """The form for the token."""
    return render_template("login.html", on_to=_page(request.args.get("next", "")))


@bp.post("/login")
def logged_in() -> ResponseReturnValue:
    """Exchange the token for a cookie."""
    on_to = _page(request.form.get("next", ""))
    if not logins().knows(request.form.get("token", "")):
        return render_template("login.html", on_to=on_to, wrong=True), 403
    answer = redirect(on_to, 303)
    name = request.form.get("name", "").strip()[:MOST_NAME]
    _set(answer, logins().begin(name or "dashboard"), LASTS_S)
    return answer


@bp.get("/static/<path:name>")
def static(name: str) -> Response:
    """A file of the pages; what is vendored has its version in its name and is never asked for again."""
    path = safe_join(str(_STATIC), name)
    if path is None or not Path(path).is_file():
        raise NotFound
    # Not as a file: this worker sends its answers by itself, past gunicorn's way with files.
    answer = Response(Path(path).read_bytes(), content_type=mimetypes.guess_type(path)[0])
    answer.add_etag()
    answer.cache_control.max_age = _YEAR_S if name.startswith("vendor/") else None
    answer.cache_control.no_cache = None if name.startswith("vendor/") else True
    return answer.make_conditional(request)


def forget(answer: Response) -> Response:
    """The answer, which takes the login back."""
    _set(answer, "", 0)
    return answer


def _set(answer: Response, value: str, lasts_s: int) -> None:
    # Whoever says that TLS was used can only make its own cookie stricter.
    secure = request.headers.get("X-Forwarded-Proto", request.environ["wsgi.url_scheme"]).strip() == "https"
    answer.set_cookie(COOKIE, value, max_age=lasts_s, path="/admin", secure=secure, httponly=True, samesite="Strict")


def _page(wanted: str) -> str:
    """A page of ours to go on to: nobody is led elsewhere by a link to the login."""
    return wanted if re.fullmatch(r"/admin/[\x21-\x5b\x5d-\x7e]*", wanted) else HOME
