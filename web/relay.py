"""Sends a request to the model that was decided on; when that fails, to the next candidate."""

import time

import gevent
import msgspec
from flask import Response

from shared.domain.decisions import Decision, Trace
from shared.errors import Overdue, ShuttingDown, UpstreamFailed, UpstreamTimeout
from web import outbound, passing, tracing, wire
from web.rewrite import Rewriter
from web.services import Services, services
from web.upstream import Answer

_FAILURES = frozenset({408, 409, 429})
_FIRST_SERVER_ERROR = 500
_SPARE_S = 1.0
"""Each attempt has a limit within listeners.timeout; this much later a limit around them all holds."""
_SHARE = 0.6
"""How much of the time that is left a model gets while there is another one to try after it."""


class _Outcome(msgspec.Struct, frozen=True):
    """What came of asking one model."""

    response: Response | None
    failure: str | None
    """A status, `timeout` or `unreachable`; None when the model answered."""
    retry_after_s: int | None = None
    error: UpstreamFailed | None = None


def answer(asked: wire.Call, made: Decision, path: str) -> Response:
    """The answer of the first candidate that gives one; else the last answer that came, untouched.

    A candidate that fails is followed by the next one as long as no byte has reached the client.
    Raises UpstreamUnreachable or UpstreamTimeout when no candidate answered at all; Overdue, whatever goes wrong,
    when no answer has begun a second after listeners.timeout.
    """
    parts = services()
    timeout_s = parts.config.listener.timeout_s
    with gevent.Timeout(timeout_s + _SPARE_S, Overdue(f"no answer within {timeout_s + _SPARE_S:.1f} s")):
        return _answered(parts, asked, made, path)


def _answered(parts: Services, asked: wire.Call, made: Decision, path: str) -> Response:
    deadline = time.monotonic() + parts.config.listener.timeout_s
    names = parts.failover.candidates(asked.question, made)
    steps = _passed_over(made, names[0])
    attempts = _Attempts(parts, asked, made, path)
    refused: Response | None = None
    failed: UpstreamFailed | None = None
    for n, name in enumerate(names):
        left_s = max(deadline - time.monotonic(), 0.001)
        outcome = attempts.ask(name, left_s if name == names[-1] else left_s * _SHARE)
        if outcome.failure is None and outcome.response:
            parts.failover.answered(asked.question, made, name)
            return _with_steps(outcome.response, steps)
        parts.failover.failed(name, str(outcome.failure), outcome.retry_after_s)
        if outcome.response and n == len(names) - 1:
            return _with_steps(outcome.response, steps)
        steps.append(f"{name};{outcome.failure}")
        refused, failed = outcome.response or refused, outcome.error or failed
    if refused:
        return _with_steps(refused, steps)
    assert failed is not None  # noqa: S101 - each candidate gave a response or an error
    failed.decision, failed.steps = _served(made, names[-1]), tuple(steps[:-1])
    raise failed


class _Attempts(msgspec.Struct, frozen=True):
    """One request, put to one model after another."""

    parts: Services
    asked: wire.Call
    made: Decision
    path: str

    def ask(self, name: str, within_s: float) -> _Outcome:
        """Ask one model; its answer's first bytes have come when this returns."""
        served = _served(self.made, name)
        qualified = self.parts.config.routing.response_model == "qualified"
        rewriter = Rewriter(name if qualified else None, pinned=served.pinned)
        began = time.monotonic()
        try:
            got = self._sent(name, within_s)
            ours = [*wire.headers(served), ("x-request-id", self.asked.question.trace.request_id)]
            response = passing.response(got, rewriter, ours)
        except ShuttingDown:
            raise
        except UpstreamFailed as error:
            word = "timeout" if isinstance(error, UpstreamTimeout) else "unreachable"
            return _Outcome(None, word, error=error)
        if got.status in _FAILURES or got.status >= _FIRST_SERVER_ERROR:
            return _Outcome(response, str(got.status), _retry_after_s(got))
        if got.ok:  # noted at the end: of a stream, what it used is known only then
            waited_s = got.first_byte_at and got.first_byte_at - began
            tally, tenant = self.parts.tally, self.asked.tenant
            response.call_on_close(lambda: tally.answered(name, tenant, waited_s, rewriter.usage))
        return _Outcome(response, None)

    def _sent(self, name: str, within_s: float) -> Answer:
        """The provider's answer, its head read; the step is traced to the end of its body."""
        parts, asked = self.parts, self.asked
        model = parts.config.catalog.get(name)
        trace = asked.question.trace
        began = time.monotonic()
        step = parts.tracing.start("llm.upstream", trace.traceparent, {"llm.model": name})
        ids = Trace(trace.request_id, step.traceparent)
        try:
            got = parts.upstream.post(
                outbound.url(model, self.path),
                outbound.headers(model, asked.environ, ids, parts.access.tenant_header),
                outbound.content(asked.fields, model),
                provider=model.provider.name,
                within_s=within_s,
            )
        except UpstreamFailed:
            step.end()
            raise
        if parts.tracing.on:
            got.on_end = lambda: tracing.note_answer(asked.environ, step, got, began)
        return got


def _served(made: Decision, name: str) -> Decision:
    """The decision as it turned out: a pin decided only if the pinned model is the one that answers."""
    if name == made.models[0]:
        return made
    return msgspec.structs.replace(made, models=(name,), pinned=False)


def _passed_over(made: Decision, first: str) -> list[str]:
    """The candidates before the first one to be asked: they sit out."""
    before = made.models[: made.models.index(first)] if first in made.models else made.models
    return [f"{name};cooling" for name in before]


def _with_steps(response: Response, steps: list[str]) -> Response:
    if steps:
        response.headers.extend([("x-plano-fallback", step) for step in steps])
    return response


def _retry_after_s(got: Answer) -> int | None:
    """Retry-After in seconds; its other form, a date, is not used by model providers and counts as none."""
    value = next((value for name, value in got.headers if name == "retry-after"), "")
    return int(value) if value.isdecimal() else None
