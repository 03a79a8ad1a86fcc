"""Asks the research agent one question without and with a session, and shows which model answered which step."""

import os
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import requests

AGENT_URL = os.environ.get("AGENT_URL", f"http://localhost:{os.environ.get('AGENT_PORT', '8000')}").rstrip("/")
QUESTION = "Should a service for orders use PostgreSQL or MongoDB?"
HEALTHY_WITHIN_S = 30.0
ANSWER_WITHIN_S = 300.0

Trace = list[dict[str, Any]]


class DemoFailed(Exception):
    """What kept the demo from going on; it is printed."""


def wait_for_agent() -> None:
    """Return when the agent says that it is well; raises DemoFailed when it does not in time."""
    end = time.monotonic() + HEALTHY_WITHIN_S
    while time.monotonic() < end:
        try:
            if requests.get(f"{AGENT_URL}/health", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise DemoFailed(f"the agent does not answer at {AGENT_URL}/health within {HEALTHY_WITHIN_S:.0f} s")


def investigate(headers: Mapping[str, str]) -> tuple[str, Trace]:
    """The agent's report and its routing trace; raises DemoFailed."""
    body = {"messages": [{"role": "user", "content": QUESTION}]}
    try:
        answer = requests.post(
            f"{AGENT_URL}/v1/chat/completions", json=body, headers=dict(headers), timeout=ANSWER_WITHIN_S
        )
    except requests.RequestException as error:
        raise DemoFailed(f"the agent gave no answer: {error}") from None
    if not answer.ok:
        raise DemoFailed(f"the agent answered {answer.status_code}: {answer.text}")
    told = answer.json()
    return told["choices"][0]["message"]["content"], told["routing_trace"]


def models(trace: Trace) -> list[str]:
    """The model of each step, without its provider."""
    return [step["model"].rpartition("/")[2] for step in trace]


def switched_to(names: list[str]) -> list[str]:
    """The model of each step that had another one than the step before."""
    return [later for earlier, later in pairwise(names) if later != earlier]


def show(without: Trace, pinned: Trace) -> None:
    """Print both runs, a line a step."""
    left, right = _cells(without), _cells(pinned)
    width = max(map(len, left))
    print(f"  {'step':<20}  {'without pinning':<{width}}   with pinning")
    for step, one, other in zip(pinned, left, right, strict=True):
        print(f"  {step['step']} {step['intent']:<18}  {one:<{width}}   {other}".rstrip())


def _cells(trace: Trace) -> Iterable[str]:
    names = models(trace)
    longest = max(map(len, names))
    cells = []
    for n, (name, step) in enumerate(zip(names, trace, strict=True)):
        note = "pinned" if step["pinned"] else ""
        if n and name != names[n - 1]:
            note = "← switched"
        cells.append(f"{name:<{longest}}  {note}".rstrip())
    return cells


def verdict(label: str, trace: Trace) -> str:
    """One line: whether a run kept its model."""
    names = models(trace)
    turns = switched_to(names)
    if turns:
        return f"✗ {label}: model switched {len(turns)} time(s) — {', '.join(dict.fromkeys(turns))}"
    return f"✓ {label}: {names[0]} held for all {len(names)} steps"


def main() -> int:
    """0 when the session kept its model over all steps."""
    wait_for_agent()
    session = str(uuid.uuid4())
    print(f"Question: {QUESTION}")
    print(f"Session:  {session}\n")
    _, without = investigate({})
    report, pinned = investigate({"X-Session-Id": session})
    show(without, pinned)
    print()
    print(verdict("Without pinning", without))
    print(verdict("With pinning", pinned))
    _, again = investigate({"X-Routing-Session-Id": session})
    print(verdict("The same session as X-Routing-Session-Id", again))
    print("\nReport of the pinned run")
    print("------------------------")
    print(report)
    held = set(models(pinned) + models(again))
    evident = all(step["pinned"] for step in pinned[1:] + again)
    return 0 if len(held) == 1 and evident else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DemoFailed as failure:
        sys.exit(f"demo.py: {failure}")
