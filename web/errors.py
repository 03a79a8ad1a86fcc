"""The one table from what is wrong to what the client is told."""

import logging
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from shared import errors
from web import body, refusals, wire

log = logging.getLogger("plano.web")

_TABLE: tuple[tuple[type[errors.PlanoError], int, str, str | None], ...] = (
    (errors.UnknownModel, 404, "invalid_request_error", "model_not_found"),
    (errors.BadRequest, 400, "invalid_request_error", None),
    (errors.NotAllowed, 403, "invalid_request_error", "model_not_allowed"),
    (errors.Denied, 401, "invalid_request_error", "invalid_api_key"),
    (errors.TooManySessions, 429, "rate_limit_error", "too_many_sessions"),
    (errors.NoPin, 404, "invalid_request_error", "no_pin"),
    (errors.Overdue, 504, "upstream_error", "overdue"),
    (errors.Away, 503, "unavailable", "unavailable"),
    (errors.Overloaded, 429, "overloaded", "too_many_waiting"),
    (errors.Unavailable, 503, "unavailable", "unavailable"),
    (errors.ShuttingDown, 503, "unavailable", "shutting_down"),
    (errors.UpstreamTimeout, 504, "upstream_error", "upstream_timeout"),
    (errors.UpstreamFailed, 502, "upstream_error", "upstream_unreachable"),
)
"""Error, status, type, code; the first that fits counts."""


def shape(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error as the OpenAI API words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def told(error: errors.PlanoError) -> tuple[int, dict[str, Any]]:
    """The status and the body for an error of ours."""
    status, kind, code = next((row[1:] for row in _TABLE if isinstance(error, row[0])), (500, "server_error", None))
    return status, shape(str(error), kind, getattr(error, "param", None), code)


def install(app: Flask) -> None:
    """Answer every error in that one shape."""
    app.register_error_handler(errors.PlanoError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _malformed)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: errors.PlanoError) -> Response:
    if isinstance(error, errors.Overdue):
        log.error("an answer was overdue at %s", request.path, exc_info=error)
    status, said = told(error)
    made = getattr(error, "decision", None)
    answer = _answer(status, said, wire.headers(made) if made else [])
    answer.headers.extend([("x-plano-fallback", step) for step in getattr(error, "steps", ())])
    if isinstance(error, errors.Denied) and request.path.startswith("/admin"):
        answer.headers["WWW-Authenticate"] = 'Basic realm="plano"'  # a browser then asks for the token
    if isinstance(error, errors.Unavailable | errors.TooManySessions):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _http(error: HTTPException) -> Response:
    """What Flask itself refuses: no such path, wrong method, too large."""
    status = error.code or 500
    message = error.description or error.name
    code = None
    if isinstance(error, RequestEntityTooLarge):
        message, code = "The body is larger than limits.body_bytes allows", "request_too_large"
    elif isinstance(error, NotFound):
        message, code = f"There is nothing at {request.path}", "not_found"
    elif isinstance(error, MethodNotAllowed):
        message, code = f"{request.method} is not allowed at {request.path}", "method_not_allowed"
    answer = _answer(status, shape(message, "invalid_request_error" if status < 500 else "server_error", None, code))  # noqa: PLR2004
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _malformed(error: ParseException) -> Response:
    """A body that is malformed HTTP, or stalls: its head was well-formed, so the application had begun."""
    told = refusals.refusal(error)
    if told is None:
        return _unforeseen(error)
    return _answer(told.status, shape(told.message, told.type, told.param, told.code))


def _unforeseen(error: Exception) -> Response:
    """A fault of ours: logged with its place, told without any detail."""
    log.error("unforeseen %s at %s", type(error).__name__, request.path, exc_info=error)
    return _answer(500, shape("The gateway failed; its log says where", "server_error", None, "internal_error"))


def _answer(status: int, said: dict[str, Any], headers: Sequence[tuple[str, str]] = ()) -> Response:
    request_id = wire.trace(request.environ).request_id
    return Response(
        body.encode(said),
        status,
        headers=[*headers, ("x-request-id", request_id)],
        content_type="application/json",
    )
