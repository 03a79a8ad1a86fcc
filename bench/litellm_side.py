"""What the same translations cost LiteLLM, as a library in a process of its own.

`python -m bench.litellm_side PORT SECONDS BYTES` runs in LiteLLM's own environment, so it imports nothing but what
needs no package. It calls LiteLLM's public functions, which translate, ask the stand-in at the port, and translate
back. It prints `{"import_s", "rss_mb", "pairs": {pair: {"body_ms", "stream_us_per_chunk"}}, "failed": {pair: why}}`.
"""

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench import agent_loop

Call = Callable[..., Awaitable[Any]]
EVENTS = 1000
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure each pair and print what was found."""
    port, seconds, size = map(int, sys.argv[1:])
    began = time.monotonic()
    litellm: Any = importlib.import_module("litellm")
    import_s = time.monotonic() - began
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    pairs, failed = asyncio.run(_measured(litellm, f"http://127.0.0.1:{port}", seconds, size))
    rss_mb = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB
    print(json.dumps({"import_s": import_s, "rss_mb": rss_mb, "pairs": pairs, "failed": failed}))


def _calls(litellm: Any) -> dict[str, tuple[Call, str, str]]:
    """Of each pair the function, the model whose provider has the other API, and the path below the stand-in.

    Models are ones that LiteLLM 1.106 knows: of an unknown one it thinks that its provider does not stream.
    """
    messages = litellm.anthropic.messages.acreate
    return {
        "chat>messages": (litellm.acompletion, "anthropic/claude-sonnet-4-5", ""),
        "chat>responses": (litellm.acompletion, "openai/responses/gpt-5.2", "/v1"),
        "messages>chat": (messages, "hosted_vllm/m", "/v1"),
        "messages>responses": (messages, "openai/gpt-5.2", "/v1"),
        "responses>chat": (litellm.aresponses, "deepseek/deepseek-chat", "/v1"),
        "responses>messages": (litellm.aresponses, "anthropic/claude-sonnet-4-5", ""),
    }


async def _measured(
    litellm: Any, url: str, seconds: int, size: int
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    found: dict[str, dict[str, float]] = {}
    failed: dict[str, str] = {}
    for pair, (call, model, path) in _calls(litellm).items():
        fields: dict[str, Any] = {"model": model, "api_base": url + path, "api_key": "sk-bench"}
        spoken = pair.partition(">")[0]
        try:
            long = json.loads(agent_loop.request(spoken, model, size)) | fields
            body_ms = await _processor_ms(call, long, seconds)
            short = json.loads(agent_loop.request(spoken, model, 1)) | fields | {"stream": True}
            stream_ms = await _processor_ms(call, short, seconds)
        except Exception as error:  # noqa: BLE001 - what one version cannot do says nothing about the other pairs
            failed[pair] = f"{type(error).__name__}: {error}"[:300]
            continue
        found[pair] = {"body_ms": body_ms, "stream_us_per_chunk": stream_ms * 1000 / EVENTS}
    return found, failed


async def _processor_ms(call: Call, fields: dict[str, Any], seconds: int) -> float:
    """This process's, for each call; two calls before are not counted."""
    for _ in range(2):
        await _answered(call, fields)
    calls, end, began = 0, time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        await _answered(call, fields)
        calls += 1
    return (time.process_time() - began) * 1000 / calls


async def _answered(call: Call, fields: dict[str, Any]) -> None:
    """The answer; a stream that is shorter than what the provider sent is none."""
    answer = await call(**fields)
    if fields.get("stream"):
        events = 0
        async for _ in answer:
            events += 1
        if events < EVENTS:
            raise ValueError(f"a stream of {events} events")


if __name__ == "__main__":
    main()
