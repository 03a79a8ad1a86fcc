"""The one table that says with which status, type and code an error is answered."""

from http import HTTPStatus

import msgspec

from shared import errors


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told of an error; each client API has its own shape for it."""

    status: int
    message: str
    type: str
    param: str | None = None
    code: str | None = None


_TABLE: tuple[tuple[type[errors.PlanoError], int, str, str | None], ...] = (
    (errors.UnknownModel, 404, "invalid_request_error", "model_not_found"),
    (errors.NoResponse, 404, "invalid_request_error", "response_not_found"),
    (errors.NoPreviousResponse, 400, "invalid_request_error", "previous_response_not_found"),
    (errors.BadRequest, 400, "invalid_request_error", None),
    (errors.NotAllowed, 403, "invalid_request_error", "model_not_allowed"),
    (errors.TenantRefused, 403, "invalid_request_error", "tenant_not_allowed"),
    (errors.Denied, 401, "invalid_request_error", "invalid_api_key"),
    (errors.TooManySessions, 429, "rate_limit_error", "too_many_sessions"),
    (errors.NoPin, 404, "invalid_request_error", "no_pin"),
    (errors.FormExpired, 403, "invalid_request_error", "form_expired"),
    (errors.NoSession, 404, "invalid_request_error", "no_session"),
    (errors.Overdue, 504, "upstream_error", "overdue"),
    (errors.Away, 503, "unavailable", "unavailable"),
    (errors.Overloaded, 429, "overloaded", "too_many_waiting"),
    (errors.Unavailable, 503, "unavailable", "unavailable"),
    (errors.ShuttingDown, 503, "unavailable", "shutting_down"),
    (errors.UpstreamTimeout, 504, "upstream_error", "upstream_timeout"),
    (errors.UpstreamFailed, 502, "upstream_error", "upstream_unreachable"),
)
"""Error, status, type, code; the first that fits counts."""
_OTHERS = (HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", None)


def info_of(error: errors.PlanoError) -> ErrorInfo:
    """What a client is told of an error of ours."""
    status, kind, code = next((row[1:] for row in _TABLE if isinstance(error, row[0])), _OTHERS)
    return ErrorInfo(status=status, message=str(error), type=kind, param=getattr(error, "param", None), code=code)
