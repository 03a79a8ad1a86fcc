"""All pages for who is logged in."""

from flask import redirect
from flask.typing import ResponseReturnValue

from web.admin import public_paths
from web.admin.pages import models, overview, processes, sessions
from web.admin.pages.page import pages

bp = pages()
for _each in (overview, sessions, models, processes):
    _each.install(bp)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End the login in this browser."""
    return public_paths.forget(redirect("/admin/login", 303))
