"""The operator's view of the pins; it exists only where PLANO_ADMIN_TOKEN is set."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from web.admin import pins
from web.services import current_services

bp = Blueprint("admin", __name__, url_prefix="/admin", template_folder="templates")
bp.before_request(pins.guard)


@bp.get("/", strict_slashes=False)
def dashboard() -> ResponseReturnValue:
    """A page for people."""
    _, report = current_services().health.report()
    after, found = pins.page(request)
    cooldowns = dict(current_services().failover.cooldowns)
    return render_template("dashboard.html", health=report, pins=found, after=after, models=cooldowns)


@bp.get("/pins")
def listed() -> ResponseReturnValue:
    """About `?count=` pins, and the cursor to go on with: `?cursor=`."""
    after, found = pins.page(request)
    return {"pins": found, "cursor": after}


@bp.get("/pins/<session_id>")
def shown(session_id: str) -> ResponseReturnValue:
    """One session's pin; `?tenant=` names the session's tenant, if it has one."""
    return pins.shown(pins.session(session_id, request))


@bp.put("/pins/<session_id>")
def put(session_id: str) -> ResponseReturnValue:
    """Pin a session: `{"model": "openai/gpt-5.2"}`."""
    session = pins.session(session_id, request)
    current_services().pins.put(
        session, pins.wanted_pin(request), current_services().config.routing.session_ttl_seconds
    )
    return pins.shown(session)


@bp.delete("/pins/<session_id>")
def dropped(session_id: str) -> ResponseReturnValue:
    """End a session's pin: its next request is decided anew."""
    pins.drop(pins.session(session_id, request))
    return Response(status=204)
