"""What is refused for the way it was sent, in the words of every other error. Written against gunicorn 27.0."""

from collections.abc import Collection, Iterable
from http import HTTPStatus

import msgspec
from gunicorn.http import errors as http
from gunicorn.http.errors import ParseException

from web.client import TooSlow

_INVALID = "invalid_request_error"


class Twice(ParseException):  # type: ignore[misc]
    """A header that says who asks, or for which session, came twice; `name` is how it was written."""

    def __init__(self, name: str) -> None:
        self.name = name.title()


class Busy(ParseException):  # type: ignore[misc]
    """The process has as many requests under way as it may."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told."""

    status: HTTPStatus
    message: str
    type: str = _INVALID
    param: str | None = None
    code: str | None = None
    retry_after_s: int | None = None


_TABLE: tuple[tuple[type[ParseException], Refusal], ...] = (
    (
        TooSlow,
        Refusal(
            status=HTTPStatus.REQUEST_TIMEOUT,
            message="The request did not arrive in time; limits.head_timeout and limits.body_timeout bound it",
            code="request_timeout",
        ),
    ),
    (
        Busy,
        Refusal(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            message="As many requests are under way as limits.waiting_requests allows; try again",
            type="unavailable",
            code="too_many_requests_waiting",
            retry_after_s=1,
        ),
    ),
    (
        http.LimitRequestLine,
        Refusal(status=HTTPStatus.REQUEST_URI_TOO_LONG, message="The request's address is too long"),
    ),
    (
        http.LimitRequestHeaders,
        Refusal(
            status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            message="A header is longer than limits.header_bytes allows, or there are more than limits.headers",
            code="headers_too_large",
        ),
    ),
    (
        http.UnsupportedTransferCoding,
        Refusal(status=HTTPStatus.NOT_IMPLEMENTED, message="The only transfer coding that is understood is chunked"),
    ),
    (
        http.ExpectationFailed,
        Refusal(status=HTTPStatus.EXPECTATION_FAILED, message="The only expectation that can be met is 100-continue"),
    ),
)


def refuse_doubles(headers: Iterable[tuple[str, str]], once: Collection[str]) -> None:
    """Raise Twice when one of the headers `once` is there twice; names are in capitals.

    Raises ObsoleteFolding for a line that continues a header: gunicorn_h1c 0.6 makes one without a name of it.
    """
    seen = [name for name, _ in headers if name in once or not name]
    if "" in seen:
        raise http.ObsoleteFolding("")
    if len(seen) > 1 and len(seen) > len(set(seen)):
        raise Twice(next(name for name in seen if seen.count(name) > 1))


def refusal(error: BaseException) -> Refusal | None:
    """What a client is told of an error in the way it sent its request; None when the error is no such thing."""
    if isinstance(error, http.InvalidResponseHeader | http.InvalidResponseHeaderName):
        return None
    if isinstance(error, Twice):
        message = f"The header {error.name} is there twice; send it once"
        return Refusal(status=HTTPStatus.BAD_REQUEST, message=message, param=error.name)
    if not isinstance(error, ParseException):
        return None
    malformed = Refusal(
        status=HTTPStatus.BAD_REQUEST, message=f"The request is not well-formed HTTP: {type(error).__name__}"
    )
    return next((told for kind, told in _TABLE if isinstance(error, kind)), malformed)
