"""The response for the client: the provider's, with the model's qualified name and our headers about the decision."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers as WsgiHeaders

from shared.domain.decisions import Decision
from web.dialects.dialect import AnswerReader, Dialect
from web.proxy import streams
from web.proxy.upstream import Answer

Headers = list[tuple[str, str]]


class ReadyResponse(Response):
    """A response whose headers go out as they are: docs/decisions/0012 has what that saves.

    werkzeug would copy, check and complete them; they are complete, and a whole body sets its own length.
    """

    default_mimetype = None

    def get_wsgi_headers(self, environ: dict[str, Any]) -> WsgiHeaders:
        """The headers for the server."""
        return self.headers if self.status_code == HTTPStatus.OK else super().get_wsgi_headers(environ)


_EVENT_STREAM = "text/event-stream"
_JSON = "application/json"
_NOT_PASSED = frozenset(
    {
        "connection", "content-length", "date", "keep-alive", "proxy-authenticate", "proxy-connection", "server",
        "te", "trailer", "transfer-encoding", "upgrade", "x-request-id",
    }
)  # fmt: skip
"""Headers of an answer that belong to one connection or that are ours to set."""
_OURS = "x-plano-"
_STREAM_HEADERS = [("cache-control", "no-cache"), ("x-accel-buffering", "no")]
"""Without these, proxies in front of us would collect a stream before they pass it on."""
_FIRST_ERROR = 300


def decision_headers(decision: Decision) -> Headers:
    """The headers that say in every answer how its model was chosen."""
    headers = [("x-plano-model", _header_text(decision.models[0]))]
    if decision.route:
        headers.append(("x-plano-route", _header_text(decision.route)))
    if decision.pinned:
        headers.append(("x-plano-pinned", "true"))
    if decision.degraded:
        headers.append(("x-plano-degraded", decision.degraded))
    return headers


def fallback_headers(failures: Iterable[str]) -> Headers:
    """One header for each candidate that failed first, such as `openai/gpt-5.2;503`."""
    return [("x-plano-fallback", _header_text(each)) for each in failures]


def response(answer: Answer, reader: AnswerReader, dialect: Dialect, ours: Headers) -> Response:
    """The response for the client; when this returns, its first bytes are there.

    Raises UpstreamUnreachable or UpstreamTimeout when the answer breaks off before there is anything to pass on.
    """
    mime = next((value.lower() for name, value in answer.headers if name == "content-type"), "")
    headers = [
        (name, value)
        for name, value in answer.headers
        if name not in _NOT_PASSED and not name.startswith(_OURS)  # the provider may be a gateway like this one
    ]
    headers += ours
    if answer.status >= _FIRST_ERROR:  # the provider's own, status and bytes
        return ReadyResponse(answer.read(), answer.status, headers)
    if mime.startswith(_JSON):
        return ReadyResponse(reader.whole(answer.read()), answer.status, headers)
    answer.begin()
    if mime.startswith(_EVENT_STREAM):
        kept = [pair for pair in headers if pair[0] != "cache-control"]
        events = streams.events(answer, reader, dialect)
        streamed = ReadyResponse(events, answer.status, kept + _STREAM_HEADERS)
    else:
        streamed = ReadyResponse(answer.chunks(), answer.status, headers)
    streamed.call_on_close(answer.close)  # a client that has gone ends the request at the provider, too
    return streamed


def _header_text(text: str) -> str:
    """A name as a header can carry it; the client may have chosen a route's or a model's name, in any script."""
    return text if text.isascii() and text.isprintable() else re.sub(r"[^\x20-\x7e]", "?", text)
