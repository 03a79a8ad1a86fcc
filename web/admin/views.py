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


@bp.route("/pins/<session_id>", methods=["GET", "PUT", "DELETE"])
def pin(session_id: str) -> ResponseReturnValue:
    """One session's pin; `?tenant=` names the session's tenant, if it has one."""
    return _answer(pins.key_of(session_id, request))


@bp.route("/pin", methods=["GET", "PUT", "DELETE"])
def pin_by_query() -> ResponseReturnValue:
    """The same of `?session=`, which may hold any character, or of `?key=`, which may hold any bytes."""
    return _answer(pins.key_asked_for(request))


def _answer(key: bytes) -> ResponseReturnValue:
    """Show a pin; PUT it first, to the model of the body: `{"model": "openai/gpt-5.2"}`; or DELETE it.

    A session whose pin has ended is decided anew by its next request.
    """
    if request.method == "DELETE":
        pins.remove(key)
        return Response(status=204)
    if request.method == "PUT":
        ttl_s = current_services().config.routing.session_ttl_seconds
        current_services().pins.put(key, pins.wanted_pin(request), ttl_s)
    return pins.shown(key)
