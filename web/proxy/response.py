"""The response for the client: the provider's, with the model's qualified name and our headers about the decision."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.decisions import Decision
from shared.errors import UpstreamFailed
from web.dialects.dialect import AnswerReader
from web.proxy import streams
from web.proxy.providers.answer import Answer
from web.proxy.wsgi_response import WsgiResponse

Headers = list[tuple[str, str]]

SESSION_SOURCE = "plano.session"
"""Who named a request's session, in its environ."""
_EVENT_STREAM = "text/event-stream"
_JSON = "application/json"
_NOT_PASSED = frozenset(
    {
        "alt-svc", "clear-site-data", "connection", "content-length", "date", "keep-alive", "proxy-authenticate",
        "proxy-connection", "server", "set-cookie", "strict-transport-security", "te", "trailer",
        "transfer-encoding", "upgrade", "x-request-id",
    }
)  # fmt: skip
"""Headers of an answer that belong to one connection, speak for the provider's whole site, or are ours to set."""
_KINDS_DROPPED = ("x-plano-", "x-accel-")
"""The provider may be a gateway like this one, and a proxy in front of us may obey the others."""
MOST_REWRITTEN = 32 * 1024 * 1024
"""A longer JSON answer is passed on in pieces, unread: it keeps its own name of the model, uncounted."""
MOST_OF_AN_ERROR = 1024 * 1024
"""A longer error is passed on in pieces."""
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
    if decision.redecided:
        headers.append(("x-plano-redecided", decision.redecided))
    if decision.degraded:
        headers.append(("x-plano-degraded", decision.degraded))
    return headers


def session_headers(environ: Mapping[str, Any]) -> Headers:
    """The header that says who named the session of a request."""
    source = environ.get(SESSION_SOURCE)
    return [("x-plano-session", source)] if source else []


def fallback_headers(failures: Iterable[str]) -> Headers:
    """One header for each candidate that failed first, such as `openai/gpt-5.2;503`."""
    return [("x-plano-fallback", _header_text(each)) for each in failures]


def response(answer: Answer, reader: AnswerReader, ours: Headers) -> WsgiResponse:
    """The response for the client; when this returns, its first bytes are there.

    Raises UpstreamFailed when the answer breaks off before there is anything to pass on, or cannot be translated.
    """
    try:
        return _made(answer, reader, _passed(answer) + ours)
    except BaseException:  # the client may have gone, too
        answer.close()
        raise


def _made(answer: Answer, reader: AnswerReader, headers: Headers) -> WsgiResponse:
    mime = answer.header("content-type").lower()
    if answer.status >= _FIRST_ERROR:  # the provider's own, status and bytes
        body = answer.whole(MOST_OF_AN_ERROR)
        if body is None and reader.translates:
            answer.close()
            body = b""
        if body is not None:
            return _refused(reader.refused(answer.status, body), body, answer.status, headers)
    elif mime.startswith(_JSON):
        body = answer.whole(MOST_REWRITTEN)
        if body is not None:
            return WsgiResponse(reader.whole(body), answer.status, headers)
    if reader.translates and not mime.startswith(_EVENT_STREAM):
        raise UpstreamFailed("The provider's answer is no JSON, or too long to be translated")
    answer.begin()
    if answer.ok and mime.startswith(_EVENT_STREAM):
        kept = [pair for pair in headers if pair[0] != "cache-control"]
        events = streams.events(answer, reader)
        streamed = WsgiResponse(events, answer.status, kept + _STREAM_HEADERS)
    else:
        streamed = WsgiResponse(streams.pieces(answer), answer.status, headers)
    streamed.call_on_close(answer.close)  # a client that has gone ends the request at the provider, too
    return streamed


def _refused(translated: bytes | None, body: bytes, status: int, headers: Headers) -> WsgiResponse:
    """A provider's error: its own bytes, or what they say in the client's API."""
    if translated is None:
        return WsgiResponse(body, status, headers)
    kept = [pair for pair in headers if pair[0] != "content-type"]
    return WsgiResponse(translated, status, [*kept, ("content-type", _JSON)])


def _passed(answer: Answer) -> Headers:
    """The provider's headers that are meant for the client."""
    named = answer.header("connection")
    dropped = _NOT_PASSED
    if named:
        every = ",".join(value for name, value in answer.headers if name == "connection")
        dropped |= {name.strip().lower() for name in every.split(",")}
    return [
        (name, value) for name, value in answer.headers if name not in dropped and not name.startswith(_KINDS_DROPPED)
    ]


def _header_text(text: str) -> str:
    """A name as a header can carry it; the client may have chosen a route's or a model's name, in any script."""
    return text if text.isascii() and text.isprintable() else re.sub(r"[^\x20-\x7e]", "?", text)
