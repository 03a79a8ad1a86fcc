#!/usr/bin/env python3
"""An agent that selects a database, run twice: each call routed by itself, then all calls in one session."""

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai

MAX_TURNS = 10
LIMIT_S = 120
ASKED_FOR = "openai/gpt-4o"  # serves what no route fits

SYSTEM = (
    "You help a team to select a database. Use the tools, a few calls at a time, instead of what you remember. "
    "When you have been asked for advice, give it and call no more tools."
)
# What the agent asks of the model, a step a turn. The steps differ in kind, as those of an agent do: a router that
# looks at one at a time sends them to different models.
STEPS = [
    "We build a payment service: PostgreSQL or MongoDB? Start by comparing benchmarks of both, in depth.",
    "Now find case studies: who runs something like it?",
    "Next, examine the technical features we need, weighing the trade-offs.",
    "Your advice now, please: a short summary in plain words.",
]

DATABASES = {"type": "string", "enum": ["postgresql", "mongodb"]}
FEATURES = {"type": "string", "enum": ["multi-row transactions", "horizontal sharding", "json documents"]}

BENCHMARKS = {
    "postgresql": "14200 writes/s, p99 11 ms; joins over 5 tables 38 ms",
    "mongodb": "18900 writes/s, p99 17 ms; joins by $lookup 240 ms",
}
CASE_STUDIES = {
    "postgresql": "a card issuer keeps 4 TB of ledgers in it; moved back from sharded documents for its constraints",
    "mongodb": "a shop keeps its catalogue in it; its payments stayed in a relational database",
}
SUPPORT = {
    "multi-row transactions": "postgresql: always; mongodb: on replica sets, at a cost in latency",
    "horizontal sharding": "postgresql: by extensions; mongodb: built in",
    "json documents": "postgresql: jsonb with indexes; mongodb: native",
}


def _tool(name: str, description: str, argument: str, values: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {argument: values}, "required": [argument]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: Any = [
    _tool("get_db_benchmarks", "Throughput and latency of a database.", "database", DATABASES),
    _tool("get_case_studies", "Who uses a database, and how it went.", "database", DATABASES),
    _tool("check_feature_support", "How both databases support a feature.", "feature", FEATURES),
]
ANSWERS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "get_db_benchmarks": lambda arguments: BENCHMARKS.get(arguments.get("database", "")),
    "get_case_studies": lambda arguments: CASE_STUDIES.get(arguments.get("database", "")),
    "check_feature_support": lambda arguments: SUPPORT.get(arguments.get("feature", "")),
}


@dataclass
class Run:
    """What happened in one run of the agent."""

    models: list[str] = field(default_factory=list)
    """The model that answered each turn."""
    recommendation: str = ""

    @property
    def switches(self) -> int:
        """How often a turn was answered by another model than the one before."""
        return sum(before != after for before, after in zip(self.models, self.models[1:], strict=False))

    def summary(self, name: str) -> str:
        """One line: which model held, or how often it changed."""
        if self.switches:
            return f"✗  {name}: model switched {self.switches} time(s)"
        return f"✓  {name}: {self.models[0]} for all {len(self.models)} turns"


async def run_agent(client: openai.AsyncOpenAI, session: str | None) -> Run:
    """Take the agent's turns until the model calls no more tools; print each as it is taken."""
    run = Run()
    headers = {"X-Model-Affinity": session} if session else {}
    conversation: list[Any] = [{"role": "system", "content": SYSTEM}]
    for turn in range(MAX_TURNS):
        if turn < len(STEPS):
            conversation.append({"role": "user", "content": STEPS[turn]})
        answer = await client.chat.completions.create(
            model=ASKED_FOR, messages=conversation, tools=TOOLS, extra_headers=headers
        )
        message = answer.choices[0].message
        calls = [call for call in message.tool_calls or [] if call.type == "function"]
        run.models.append(answer.model.rpartition("/")[2])
        _print_turn(run, [call.function.name for call in calls])
        if not calls:
            run.recommendation = message.content or ""
            break
        conversation.append(_as_said(message.content, calls))
        conversation += [{"role": "tool", "tool_call_id": call.id, "content": _result(call)} for call in calls]
    return run


def _as_said(content: str | None, calls: list[Any]) -> dict[str, Any]:
    """The model's turn for the conversation, without what only one provider understands."""
    said = [
        {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
        for c in calls
    ]
    return {"role": "assistant", "tool_calls": said} | ({"content": content} if content else {})


def _result(call: Any) -> str:
    """What a tool returns; a call that makes no sense is answered, so that the model can make a better one."""
    try:
        arguments = json.loads(call.function.arguments or "{}")
        known = ANSWERS[call.function.name](arguments)
    except (ValueError, KeyError, TypeError, AttributeError):
        known = None
    return known or "nothing is known about that"


def _print_turn(run: Run, tools: list[str]) -> None:
    model = run.models[-1]
    switched = "  ← switched" if len(run.models) > 1 and model != run.models[-2] else ""
    print(f"  turn {len(run.models)}  [{model:<30}]  {', '.join(tools) or 'recommendation'}{switched}", flush=True)


async def main(url: str) -> int:
    """Run both ways and compare; the exit code is 0 when the session kept its model."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", timeout=LIMIT_S, max_retries=0) as client:
        print("Without affinity: every call is routed by itself")
        without = await run_agent(client, None)
        print("\nWith affinity: X-Model-Affinity is one id for the whole run")
        pinned = await run_agent(client, str(uuid.uuid4()))
    print(f"\n{without.summary('Without affinity')}\n{pinned.summary('With affinity')}")
    print(f"\nRecommendation\n{pinned.recommendation or f'none within {MAX_TURNS} turns'}")
    return 1 if pinned.switches else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:12000", help="the gateway  [default: %(default)s]")
    asked = parser.parse_args()
    try:
        sys.exit(asyncio.run(main(asked.url.rstrip("/"))))
    except openai.APIConnectionError as fault:
        sys.exit(f"Could not reach Plano at {asked.url}: {fault.__cause__ or fault}")
    except openai.APIStatusError as fault:
        sys.exit(f"Plano answered {fault.status_code}: {fault.message}")
