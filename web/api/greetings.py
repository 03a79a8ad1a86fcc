"""What clients ask before their first request: whether somebody is there, and whether a WebSocket would do."""

from http import HTTPStatus

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed

bp = Blueprint("greetings", __name__)


@bp.route("/", methods=["HEAD"])
@bp.route("/api/hello", methods=["HEAD"])
def hello() -> ResponseReturnValue:
    """The gateway is there, for whoever asks: Claude Code does, without its key."""
    return Response()


@bp.get("/v1/responses")
def no_web_socket() -> ResponseReturnValue:
    """Answer 426, and Codex goes on by HTTP at once; after a 404 or 405 it tries for six seconds."""
    if request.headers.get("upgrade", "").lower() != "websocket":
        raise MethodNotAllowed(valid_methods=["POST"])
    return Response(status=HTTPStatus.UPGRADE_REQUIRED)
