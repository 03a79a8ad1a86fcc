"""A provider's answer as the client gets it: the same, but for the model's name and what we say about it."""

from collections.abc import Iterator

from flask import Response

from shared.errors import UpstreamFailed
from web import body, errors
from web.lean import LeanResponse
from web.rewrite import Lines, Rewriter
from web.upstream import Answer

Headers = list[tuple[str, str]]

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
"""Without them proxies in front collect a stream before they pass it on."""
_FIRST_ERROR = 300


def response(got: Answer, rewriter: Rewriter, ours: Headers) -> Response:
    """The answer for the client, its first bytes at hand.

    Raises UpstreamUnreachable or UpstreamTimeout when it breaks off before there is anything to pass on.
    """
    mime = next((value.lower() for name, value in got.headers if name == "content-type"), "")
    headers = [
        (name, value)
        for name, value in got.headers
        if name not in _NOT_PASSED and not name.startswith(_OURS)  # the provider may be a gateway like this one
    ]
    headers += ours
    if got.status >= _FIRST_ERROR:  # the provider's own, status and bytes
        return LeanResponse(got.read(), got.status, headers)
    if mime.startswith(_JSON):
        return LeanResponse(rewriter.whole(got.read()), got.status, headers)
    got.begin()
    if mime.startswith(_EVENT_STREAM):
        kept = [pair for pair in headers if pair[0] != "cache-control"]
        streamed = LeanResponse(_events(got, rewriter), got.status, kept + _STREAM_HEADERS)
    else:
        streamed = LeanResponse(got.chunks(), got.status, headers)
    streamed.call_on_close(got.close)  # a client that has gone ends the request at the provider, too
    return streamed


def _events(got: Answer, rewriter: Rewriter) -> Iterator[bytes]:
    """The stream, line by line as it arrives; when it breaks off, its last event says so."""
    lines = Lines()
    try:
        for chunk in got.chunks():
            complete = b"".join(map(rewriter.line, lines.feed(chunk)))
            if complete:
                yield complete
        rest = lines.rest()
        if rest:
            yield rewriter.line(rest)
    except UpstreamFailed as error:
        # A line that broke off would corrupt the event that follows it: it is left out.
        yield b"\n\ndata: " + body.encode(errors.told(error)[1]) + b"\n\n"
