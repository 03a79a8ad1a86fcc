"""Sends a request to the model that was decided on, and its answer back to the client."""

import time
from collections.abc import Iterator

from flask import Response

from shared.domain.catalog import Model
from shared.domain.decisions import Decision, Trace
from shared.errors import UpstreamFailed
from web import body, errors, outbound, tracing, wire
from web.rewrite import Lines, Rewriter
from web.services import services
from web.upstream import Answer

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


def answer(asked: wire.Call, made: Decision, path: str) -> Response:
    """The chosen model's answer, as it arrives.

    Raises UpstreamUnreachable or UpstreamTimeout when no byte of it came.
    """
    parts = services()
    config = parts.config
    model = config.catalog.get(made.models[0])
    trace = asked.question.trace
    try:
        got = _sent(asked, model, path)
        rewriter = Rewriter(model.name if config.routing.response_model == "qualified" else None, pinned=made.pinned)
        return _passed_on(got, rewriter, [*wire.headers(made), ("x-request-id", trace.request_id)])
    except UpstreamFailed as error:
        error.decision = made
        raise


def _sent(asked: wire.Call, model: Model, path: str) -> Answer:
    """The provider's answer, its head read; the step is traced to the end of its body."""
    parts = services()
    trace = asked.question.trace
    began = time.monotonic()
    step = parts.tracing.start("llm.upstream", trace.traceparent, {"llm.model": model.name})
    try:
        got = parts.upstream.post(
            outbound.url(model, path),
            outbound.headers(
                model, asked.environ, Trace(trace.request_id, step.traceparent), parts.access.tenant_header
            ),
            outbound.content(asked.fields, model),
            model.provider.name,
        )
    except UpstreamFailed:
        step.end()
        raise
    if parts.tracing.on:
        got.on_end = lambda: tracing.note_answer(asked.environ, step, got, began)
    return got


def _passed_on(got: Answer, rewriter: Rewriter, ours: list[tuple[str, str]]) -> Response:
    mime = next((value.lower() for name, value in got.headers if name == "content-type"), "")
    headers = [
        (name, value)
        for name, value in got.headers
        if name not in _NOT_PASSED and not name.startswith(_OURS)  # the provider may be a gateway like this one
    ]
    headers += ours
    if got.status >= 300:  # noqa: PLR2004 - an error is the provider's own, status and bytes
        return Response(got.read(), got.status, headers)
    if mime.startswith(_JSON):
        return Response(rewriter.whole(got.read()), got.status, headers)
    if mime.startswith(_EVENT_STREAM):
        kept = [pair for pair in headers if pair[0] != "cache-control"]
        streamed = Response(_events(got, rewriter), got.status, kept + _STREAM_HEADERS)
    else:
        streamed = Response(got.chunks(), got.status, headers)
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
