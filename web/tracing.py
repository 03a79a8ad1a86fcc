"""A span around each request: only installed when traces are asked for."""

from typing import Any

from flask import Flask, Response, request

from shared.tracing import Span, Tracing
from web import wire
from web.upstream import Answer

_SPAN = "plano.span"


def install(app: Flask, tracing: Tracing) -> None:
    """Begin a span before each request to a model, and end it with the last byte of the answer."""

    def begin() -> None:
        environ = request.environ
        if request.method != "POST":
            return
        span = tracing.start(f"POST {request.path}", wire.client_traceparent(environ), {})
        wire.adopt(environ, span.traceparent)
        environ[_SPAN] = span

    def finish(answer: Response) -> Response:
        span = request.environ.get(_SPAN)
        if span is not None:
            _describe(span, answer)
            answer.call_on_close(span.end)
        return answer

    app.before_request(begin)
    app.after_request(finish)


def note_answer(environ: dict[str, Any], step: Span, got: Answer, began: float) -> None:
    """The provider's answer has ended: say what it was, and when it began to arrive."""
    step.note({"http.status_code": got.status})
    if got.first_byte_at is not None:
        waited_ms = round((got.first_byte_at - began) * 1000, 3)
        environ[_SPAN].note({"llm.time_to_first_token_ms": waited_ms})
    step.end()


def _describe(span: Span, answer: Response) -> None:
    """What the answer's own headers say of the decision."""
    headers = answer.headers
    model = headers.get("x-plano-model", "")
    asked = request.environ.get(wire.ASKED)
    span.note({"http.status_code": answer.status_code, "plano.pinned": headers.get("x-plano-pinned") == "true"})
    if model:
        requested = asked.question.model.name if asked else ""
        span.rename(f"POST {request.path} {requested} -> {model}")
        span.note({"llm.model": model, "llm.provider": model.partition("/")[0]})
    if route := headers.get("x-plano-route"):
        span.note({"plano.route": route})
    if asked and asked.question.session:
        span.note({"plano.session": asked.question.session.id})
