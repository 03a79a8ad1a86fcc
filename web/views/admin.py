"""The operator's view of the pins; it exists only where PLANO_ADMIN_TOKEN is set."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from web import admin
from web.services import services

bp = Blueprint("admin", __name__, url_prefix="/admin", template_folder="../templates")
bp.before_request(admin.guard)


@bp.get("/", strict_slashes=False)
def dashboard() -> ResponseReturnValue:
    """A page for people."""
    _, report = services().health.report()
    after, pins = admin.pins(request)
    return render_template("dashboard.html", health=report, pins=pins, after=after, models=admin.conditions())


@bp.get("/pins")
def listed() -> ResponseReturnValue:
    """Some pins, and where to go on: `?cursor=`, `?count=`."""
    after, pins = admin.pins(request)
    return {"pins": pins, "cursor": after}


@bp.get("/pins/<session_id>")
def shown(session_id: str) -> ResponseReturnValue:
    """One session's pin: `?tenant=` where it has one."""
    return admin.shown(admin.session(session_id, request))


@bp.put("/pins/<session_id>")
def put(session_id: str) -> ResponseReturnValue:
    """Pin a session: `{"model": "openai/gpt-5.2"}`."""
    session = admin.session(session_id, request)
    services().pins.put(session, admin.wanted_pin(request), services().config.routing.session_ttl_s)
    return admin.shown(session)


@bp.delete("/pins/<session_id>")
def dropped(session_id: str) -> ResponseReturnValue:
    """End a session's pin: its next request is decided anew."""
    admin.drop(admin.session(session_id, request))
    return Response(status=204)
