"""A research agent as a service: five steps for one question, every one of them a call to the gateway.

POST /v1/chat/completions   the investigation; the answer is a chat.completion with a `routing_trace`
GET  /health                whether the agent listens

PLANO_URL (default http://localhost:12000) is the gateway, AGENT_PORT (default 8000) where the agent listens.
"""

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai
from flask import Flask, request
from flask.typing import ResponseReturnValue

AFFINITY_HEADERS = ("X-Model-Affinity", "X-Routing-Session-Id", "X-Session-Id")
MODEL = "openai/gpt-4o"  # what the agent asks for; the gateway's routes decide otherwise
MAX_TOKENS = 300
CALL_LIMIT_S = 60.0

Message = dict[str, Any]

_BRIEF = "You are a database researcher. Answer each step in at most 120 words, building on the steps before."


@dataclass(frozen=True)
class Step:
    """One call: what the agent is after, and how it asks."""

    title: str
    intent: str
    task: str


STEPS = (
    Step(
        "Requirements",
        "analysis",
        "Analyse the requirements and weigh the trade-offs: what decides between PostgreSQL and MongoDB?",
    ),
    Step(
        "Data model",
        "code_generation",
        "Write code: the schema of this workload, as tables for PostgreSQL and as documents for MongoDB.",
    ),
    Step(
        "Comparison",
        "analysis",
        "Compare consistency, scaling and cost of the two, and weigh the trade-offs.",
    ),
    Step(
        "Benchmark",
        "code_generation",
        "Write a benchmark script that runs the busiest queries against PostgreSQL and MongoDB.",
    ),
    Step(
        "Recommendation",
        "analysis",
        "Judge the evidence, weigh the trade-offs and recommend one of the two.",
    ),
)


@dataclass(frozen=True)
class Finding:
    """What one step brought, and which model it came from."""

    step: Step
    text: str
    model: str
    pinned: bool
    tokens_in: int
    tokens_out: int


def investigate(gateway: openai.OpenAI, question: list[Message], affinity: Mapping[str, str]) -> list[Finding]:
    """One finding a step; each step reads all that was said before it."""
    history: list[Message] = [{"role": "system", "content": _BRIEF}, *question]
    findings = []
    for step in STEPS:
        history.append({"role": "user", "content": step.task})
        finding = _ask(gateway, step, history, affinity)
        history.append({"role": "assistant", "content": finding.text})
        findings.append(finding)
    return findings


def _ask(gateway: openai.OpenAI, step: Step, history: list[Message], affinity: Mapping[str, str]) -> Finding:
    answer = gateway.chat.completions.with_raw_response.create(
        model=MODEL, messages=history, max_tokens=MAX_TOKENS, extra_headers=affinity
    )
    said = answer.parse()
    return Finding(
        step=step,
        text=said.choices[0].message.content or "",
        model=said.model,
        pinned=answer.headers.get("x-plano-pinned") == "true",
        tokens_in=said.usage.prompt_tokens if said.usage else 0,
        tokens_out=said.usage.completion_tokens if said.usage else 0,
    )


def report(findings: list[Finding]) -> str:
    """The findings, one section a step."""
    return "\n\n".join(f"{n}. {each.step.title}\n{each.text}" for n, each in enumerate(findings, start=1))


def completion(findings: list[Finding]) -> dict[str, Any]:
    """The answer to the client, with the trace of who answered which step."""
    tokens_in = sum(each.tokens_in for each in findings)
    tokens_out = sum(each.tokens_out for each in findings)
    message = {"role": "assistant", "content": report(findings)}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "research-agent",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
        "routing_trace": [
            {"step": n, "intent": each.step.intent, "model": each.model, "pinned": each.pinned}
            for n, each in enumerate(findings, start=1)
        ],
    }


def build(gateway: openai.OpenAI) -> Flask:
    """The service."""
    app = Flask(__name__)

    @app.get("/health")
    def health() -> ResponseReturnValue:
        return {"status": "ok"}

    @app.post("/v1/chat/completions")
    def chat() -> ResponseReturnValue:
        asked = request.get_json(force=True, silent=True)
        question = asked.get("messages") if isinstance(asked, dict) else None
        if not isinstance(question, list) or not question:
            return _refusal(400, "send a JSON object with messages")
        if asked.get("stream"):
            return _refusal(400, "the agent answers when it is done: leave stream out")
        affinity = {name: request.headers[name] for name in AFFINITY_HEADERS if name in request.headers}
        return completion(investigate(gateway, question, affinity))

    @app.errorhandler(openai.APIStatusError)
    def refused(error: openai.APIStatusError) -> ResponseReturnValue:
        return _refusal(error.status_code, error.message, kind="upstream_error")

    @app.errorhandler(openai.APIConnectionError)
    def unreachable(error: openai.APIConnectionError) -> ResponseReturnValue:
        return _refusal(502, f"the gateway at {gateway.base_url} gave no answer: {error}", kind="upstream_error")

    return app


def _refusal(status: int, message: str, *, kind: str = "invalid_request_error") -> ResponseReturnValue:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}, status


def main() -> None:
    """Serve until a signal."""
    url = os.environ.get("PLANO_URL", "http://localhost:12000").rstrip("/")
    key = os.environ.get("PLANO_API_KEY", "unused")  # a gateway without auth.keys asks for none
    gateway = openai.OpenAI(base_url=f"{url}/v1", api_key=key, timeout=CALL_LIMIT_S, max_retries=0)
    build(gateway).run(host="127.0.0.1", port=int(os.environ.get("AGENT_PORT", "8000")))


if __name__ == "__main__":
    main()
