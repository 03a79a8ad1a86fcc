"""The answers to requests that are not valid HTTP, in the shape of the API. Written against gunicorn 27."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import msgspec
from gunicorn.http import errors as http
from gunicorn.http.errors import ParseException

from web.dialects.error_table import ErrorInfo
from web.server.client_socket import TooSlow
from web.server.connections import Crowded
from web.server.held_bytes import Full
from web.server.request_bodies import TinyChunks

_INVALID = "invalid_request_error"
_HOST = "HOST"
_CODING = "TRANSFER-ENCODING"
ONCE = frozenset({_HOST, _CODING, "AUTHORIZATION", "X-API-KEY"})
"""Headers that may come a single time, whatever the config says."""


class Twice(ParseException):  # type: ignore[misc]
    """A header that names the client or the session came twice; `name` is the header's."""

    def __init__(self, name: str) -> None:
        self.name = name.title()


class NoHost(ParseException):  # type: ignore[misc]
    """HTTP/1.1 wants a host in each request."""


class Busy(ParseException):  # type: ignore[misc]
    """The process has as many requests under way as it may."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told, and when it may try again."""

    info: ErrorInfo
    retry_after_s: int | None = None

    @property
    def phrase(self) -> str:
        """The status in words."""
        return HTTPStatus(self.info.status).phrase


def _refusal(
    status: HTTPStatus,
    message: str,
    *,
    kind: str = _INVALID,
    param: str | None = None,
    code: str | None = None,
    retry_after_s: int | None = None,
) -> Refusal:
    info = ErrorInfo(status=status.value, message=message, type=kind, param=param, code=code)
    return Refusal(info=info, retry_after_s=retry_after_s)


_TABLE: tuple[tuple[type[ParseException], Refusal], ...] = (
    (
        TooSlow,
        _refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "The request did not arrive in time; limits.head_timeout and limits.body_timeout bound it",
            code="request_timeout",
        ),
    ),
    (
        Busy,
        _refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "As many requests are under way as limits.waiting_requests allows; try again",
            kind="unavailable",
            code="too_many_requests_waiting",
            retry_after_s=1,
        ),
    ),
    (
        Full,
        _refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The requests under way are as large together as limits.buffered_bytes allows; try again",
            kind="unavailable",
            code="too_many_bytes_buffered",
            retry_after_s=1,
        ),
    ),
    (
        Crowded,
        _refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "As many connections are open as this process may have; try again",
            kind="unavailable",
            code="too_many_connections",
            retry_after_s=1,
        ),
    ),
    (
        TinyChunks,
        _refusal(HTTPStatus.BAD_REQUEST, "The body comes in too many chunks of a few bytes; send larger ones"),
    ),
    (NoHost, _refusal(HTTPStatus.BAD_REQUEST, "The header Host is missing", param="Host")),
    (http.LimitRequestLine, _refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "The request's address is too long")),
    (
        http.LimitRequestHeaders,
        _refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "A header is longer than limits.header_bytes allows, or there are more than limits.headers",
            code="headers_too_large",
        ),
    ),
    (
        http.UnsupportedTransferCoding,
        _refusal(HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding that is understood is chunked"),
    ),
    (
        http.ExpectationFailed,
        _refusal(HTTPStatus.EXPECTATION_FAILED, "The only expectation that can be met is 100-continue"),
    ),
)


def refuse_ambiguous(req: Any, once: Collection[str]) -> None:
    """Refuse a head that proxies may understand in another way; names of headers are in capitals.

    Raises Twice when one of the headers named in `once` comes twice, and NoHost. Raises ObsoleteFolding for a line
    that continues the header before it: gunicorn_h1c 0.6 reports such a line as a header without a name. Raises
    InvalidHeader for a transfer coding besides chunked: gunicorn would take the body for one that is not compressed.
    """
    seen = [name for name, _ in req.headers if name in once or not name]
    names = set(seen)
    if "" in names:
        raise http.ObsoleteFolding("")
    if len(seen) > len(names):
        raise Twice(next(name for name in seen if seen.count(name) > 1))
    if _HOST not in names and req.version > (1, 0):
        raise NoHost
    if _CODING in names and dict(req.headers)[_CODING].lower() != "chunked":
        raise http.InvalidHeader(_CODING)


def protocol_error(error: BaseException) -> Refusal | None:
    """The answer to a request that is not valid HTTP; None when the error has another cause."""
    if isinstance(error, http.InvalidResponseHeader | http.InvalidResponseHeaderName):
        return None
    if isinstance(error, Twice):
        return _refusal(
            HTTPStatus.BAD_REQUEST, f"The header {error.name} is there twice; send it once", param=error.name
        )
    if not isinstance(error, ParseException):
        return None
    malformed = f"The request is not well-formed HTTP: {type(error).__name__}"
    return next(
        (refusal for kind, refusal in _TABLE if isinstance(error, kind)), _refusal(HTTPStatus.BAD_REQUEST, malformed)
    )
