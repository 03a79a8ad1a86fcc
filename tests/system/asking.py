"""How these tests talk to the gateway: plain HTTP, as any client would."""

from typing import Any

import requests

DEEP = "please review this complex analysis"
QUICK = "quick facts about tea"


def ask(port: int, session: str | None = None, text: str = DEEP, **body: Any) -> requests.Response:
    """One chat completion."""
    headers = {"X-Model-Affinity": session} if session else {}
    messages = [{"role": "user", "content": text}]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return requests.post(url, json={"messages": messages, **body}, headers=headers, timeout=30)


def pinned(answer: requests.Response) -> bool:
    """Whether a standing pin decided."""
    return answer.headers.get("x-plano-pinned") == "true"
