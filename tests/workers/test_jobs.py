"""The functions that jobs name."""

import contextvars

import msgspec

from shared.domain.conversation import Message
from shared.job_messages import DecisionRequest, DecisionResult
from shared.log_fields import REQUEST_ID
from workers import jobs
from workers.decide import Decider
from workers.services import WorkerServices

REQUEST = DecisionRequest(
    model_name="openai/a",
    session=None,
    ttl_s=60,
    routes=(),
    inline=False,
    messages=(Message("user", "hello"),),
    request_id="the-request",
    traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
)


class Watching(Decider):
    """Remembers for which request lines were logged meanwhile."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def decide(self, request: DecisionRequest) -> DecisionResult:
        self.seen.append(REQUEST_ID.get())
        return DecisionResult(models=(request.model_name,))


def test_lines_of_a_decision_have_the_id_of_the_request_that_waits_for_it() -> None:
    decider = Watching()

    # in a context of its own, as a job has in its greenlet
    contextvars.copy_context().run(jobs.decide, WorkerServices(decider), msgspec.to_builtins(REQUEST))

    assert decider.seen == ["the-request"]
