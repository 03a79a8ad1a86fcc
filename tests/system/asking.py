"""How these tests talk to the gateway: plain HTTP, as any client would."""

import contextlib
import re
from typing import Any

import requests

DEEP = "please review this complex analysis"
QUICK = "quick facts about tea"


def chat(port: int) -> str:
    """Where chat completions are."""
    return f"http://127.0.0.1:{port}/v1/chat/completions"


def ask(
    port: int, session: str | None = None, text: str = DEEP, via: requests.Session | None = None, **body: Any
) -> requests.Response:
    """One chat completion, on a connection of its own or on one that is kept."""
    headers = {"X-Model-Affinity": session} if session else {}
    messages = [{"role": "user", "content": text}]
    return (via or requests).post(chat(port), json={"messages": messages, **body}, headers=headers, timeout=30)


def pinned(answer: requests.Response) -> bool:
    """Whether a standing pin decided."""
    return answer.headers.get("x-plano-pinned") == "true"


def ready(port: int) -> bool:
    """Whether a replica, or a balancer with a replica behind it, is ready."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).ok
    return False


def decisions(port: int) -> float:
    """How many decisions a replica has made, by whatever made them."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    return sum(float(value) for value in re.findall(r"^plano_decisions_total\{.*\} (\S+)$", text, re.MULTILINE))
