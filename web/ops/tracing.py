"""The ids that tie a request to its traces, and the span around it where tracing is on."""

import random
import re
from collections.abc import Mapping
from typing import Any, cast

from flask import Flask, Response, request

from shared.domain.decisions import RouteRequest, Trace
from shared.log_fields import REQUEST_ID
from shared.tracing import Span, Tracing
from web.ops.gen_ai import conversation_of

ROUTE_REQUEST = "plano.route_request"
"""The key of a request's RouteRequest in the WSGI environment, once the request is read."""

TENANT = "plano.tenant"
"""The key of the tenant that a request is for, beside it."""

_KEPT_RESPONSE = "/v1/responses/"
"""Below this, requests without a body are for a model's provider, too."""

_TRACE = "plano.trace"
_SPAN = "plano.span"
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def trace_of(environ: dict[str, Any]) -> Trace:
    """The request's ids: the client's own where they are well formed, else new ones."""
    known = environ.get(_TRACE)
    if known is None:
        known = _adopted(environ, _client_traceparent(environ) or f"00-{_random(16)}-{_random(8)}-01")
    return cast(Trace, known)


def install(app: Flask, tracing: Tracing) -> None:
    """Begin a span before each request to a model, and end it with the last byte of the answer."""

    def begin() -> None:
        environ = request.environ
        if request.method != "POST" and not request.path.startswith(_KEPT_RESPONSE):
            return
        span = tracing.enter(_name(), _client_traceparent(environ))
        _adopted(environ, span.traceparent)
        environ[_SPAN] = span

    def finish(response: Response) -> Response:
        span = request.environ.get(_SPAN)
        if span is not None:
            _describe(span, response)
            response.call_on_close(span.end)
        return response

    app.before_request(begin)
    app.after_request(finish)


def note_answer(environ: dict[str, Any], attempt: Span, status: int, first_byte_s: float | None) -> None:
    """End the span of an attempt whose answer has ended: its status, and how long its first byte took."""
    attempt.note({"http.status_code": status})
    root = environ.get(_SPAN)
    if root and first_byte_s is not None:
        root.note({"llm.time_to_first_token_ms": round(first_byte_s * 1000, 3)})
    attempt.end()


def _client_traceparent(environ: Mapping[str, Any]) -> str | None:
    """The client's own trace, where it is well formed."""
    parent = environ.get("HTTP_TRACEPARENT", "")
    return parent if _TRACEPARENT.fullmatch(parent) else None


def _adopted(environ: dict[str, Any], traceparent: str) -> Trace:
    """The request's ids when it belongs to this trace; they are kept in the environment."""
    request_id = environ.get("HTTP_X_REQUEST_ID", "")
    known = Trace(request_id if _REQUEST_ID.fullmatch(request_id) else _random(16), traceparent)
    environ[_TRACE] = known
    REQUEST_ID.set(known.request_id)
    return known


def _random(size: int) -> str:
    """An id of so many bytes in hexadecimal digits. It has to differ from others."""
    return random.randbytes(size).hex()  # noqa: S311 - it is no secret


def _name() -> str:
    """What a span says of the request: its path without what differs from one to the next."""
    rule = request.url_rule
    return f"{request.method} {rule.rule if rule else request.path}"


def _describe(span: Span, response: Response) -> None:
    """Note in the span what the answer's own headers say of the decision."""
    headers = response.headers
    model = headers.get("x-plano-model", "")
    asked: RouteRequest | None = request.environ.get(ROUTE_REQUEST)
    span.note({"http.status_code": response.status_code, "plano.pinned": headers.get("x-plano-pinned") == "true"})
    if model:
        requested = asked.model.name if asked else ""
        span.rename(f"{_name()} {requested} -> {model}")
        span.note({"llm.model": model, "llm.provider": model.partition("/")[0]})
    if route := headers.get("x-plano-route"):
        span.note({"plano.route": route})
    if asked and asked.session:
        span.note({"plano.session": asked.session.id, "gen_ai.conversation.id": conversation_of(asked.session)})
