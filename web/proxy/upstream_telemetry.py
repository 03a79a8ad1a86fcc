"""What traces and OTLP metrics hear of each request to a provider, from its beginning to the end of the answer."""

import time
from typing import Any, Protocol

from shared.domain.catalog import Model
from shared.domain.decisions import RouteRequest
from shared.domain.money import Usage
from shared.otlp.metrics import Inference, Inferences
from shared.tracing import Span, Tracing
from web.dialects.dialect import AnswerReader
from web.ops import gen_ai, tracing
from web.proxy.providers.answer import Answer
from web.proxy.ways import Asked

_EVENT_STREAM = "text/event-stream"


class Exchange(Protocol):
    """One request to a provider."""

    @property
    def traceparent(self) -> str:
        """What the provider is told of the trace."""

    def failed(self, outcome: str) -> None:
        """No answer came, or it broke off before its client had any of it."""

    def answered(self, answer: Answer, reader: AnswerReader) -> None:
        """The answer is on its way to the client; it may have ended."""


class Exchanges:
    """Makes one for each attempt."""

    def __init__(self, traces: Tracing, inferences: Inferences | None) -> None:
        """Without `inferences` nothing is measured."""
        self._traces = traces
        self._inferences = inferences

    def begun(self, model: Model, route: RouteRequest, asked: Asked, environ: dict[str, Any]) -> Exchange:
        """The exchange of a request that is about to be sent."""
        if not self._traces.on and self._inferences is None:
            return _Unheard(route.trace.traceparent)
        operation = gen_ai.operation_of(asked.dialect.name, asked.suffix, asked.method)
        facts = gen_ai.facts_of(operation, model) if operation else {}
        noted = {"llm.model": model.name, **facts}
        if route.session:
            noted["gen_ai.conversation.id"] = gen_ai.conversation_of(route.session)
        span = self._traces.start("llm.upstream", route.trace.traceparent, noted)
        return _Heard(span, environ, facts, self._inferences if operation else None)


class _Unheard:
    """The exchange of a pool that neither traces nor measures."""

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def failed(self, outcome: str) -> None: ...

    def answered(self, answer: Answer, reader: AnswerReader) -> None: ...


class _Heard:
    """One that has a span, and is measured if it asks a model."""

    def __init__(
        self, span: Span, environ: dict[str, Any], facts: dict[str, str], inferences: Inferences | None
    ) -> None:
        self.traceparent = span.traceparent
        self._span = span
        self._environ = environ
        self._facts = facts
        self._inferences = inferences
        self._began = time.monotonic()

    def failed(self, outcome: str) -> None:
        self._span.note({"error.type": outcome})
        self._span.end()
        self._measure(outcome)

    def answered(self, answer: Answer, reader: AnswerReader) -> None:
        def end() -> None:
            self._end(answer, reader)

        if answer.ended:
            end()
        else:
            answer.on_end = end

    def _end(self, answer: Answer, reader: AnswerReader) -> None:
        first_byte_s = answer.first_byte_at and answer.first_byte_at - self._began
        if not answer.ok:
            self._span.note({"error.type": str(answer.status)})
            tracing.note_answer(self._environ, self._span, answer.status, first_byte_s)
            self._measure(str(answer.status))
            return
        usage = reader.usage()
        self._span.note(gen_ai.usage_facts(usage))
        tracing.note_answer(self._environ, self._span, answer.status, first_byte_s)
        streamed = answer.header("content-type").lower().startswith(_EVENT_STREAM)
        self._measure(None, first_byte_s if streamed else None, usage)

    def _measure(self, error: str | None, first_token_s: float | None = None, usage: Usage | None = None) -> None:
        if self._inferences:
            facts = {**self._facts, "error.type": error} if error else self._facts
            took_s = time.monotonic() - self._began
            self._inferences.note(Inference(facts, took_s, first_token_s, usage))
