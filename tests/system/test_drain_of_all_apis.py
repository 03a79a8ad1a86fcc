"""A stream of the Messages or the Responses API survives the end of its web process, whatever its provider speaks."""

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fakes.provider import Provider
from tests.harness import Pool

SPOKEN: dict[str, dict[str, Any]] = {
    "messages": {"max_tokens": 100, "messages": [{"role": "user", "content": "one two three"}]},
    "responses": {"input": "one two three"},
}
LAST = {"messages": "message_stop", "responses": "response.completed"}
SPEAKS = ("chat", "messages", "responses")


def _with_apis(provider: Provider) -> str:
    entries = [
        f'  - {{model: of-{api}/m, base_url: "{provider.url}", provider_interface: openai, apis: [{api}]}}'
        for api in SPEAKS
    ]
    return "\n".join(entries)


def _types(lines: list[bytes]) -> list[str]:
    return [json.loads(line[5:])["type"] for line in lines if line.startswith(b"data:")]


@pytest.mark.parametrize("served", SPEAKS)
@pytest.mark.parametrize("spoken", SPOKEN)
def test_a_running_stream_ends_by_itself(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, spoken: str, served: str
) -> None:
    lines, code = _drained(start, ports[0], provider, spoken, served, grace_s=20, pause_s=0.2)

    assert _types(lines)[-1] == LAST[spoken]
    assert code == 0


@pytest.mark.parametrize("served", SPEAKS)
@pytest.mark.parametrize("spoken", SPOKEN)
def test_one_that_does_not_end_is_ended_with_the_error_of_its_api(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, spoken: str, served: str
) -> None:
    lines, code = _drained(start, ports[0], provider, spoken, served, grace_s=1, pause_s=5)

    assert _types(lines)[-1] in {"error", "response.failed"}
    assert b"shutting down" in lines[-1]
    assert LAST[spoken] not in _types(lines)
    assert code == 0


def _drained(
    start: Callable[..., Pool],
    port: int,
    provider: Provider,
    spoken: str,
    served: str,
    *,
    grace_s: int,
    pause_s: float,
) -> tuple[list[bytes], int]:
    """What came of a stream whose web process was told to end after its first line, and how that ended."""
    pool = start(env={"GRACEFUL_TIMEOUT": str(grace_s)}, providers=_with_apis(provider))
    web = pool.web(port)
    provider.pause = pause_s
    asked = {**SPOKEN[spoken], "model": f"of-{served}/m", "stream": True}
    url = f"http://127.0.0.1:{port}/v1/{spoken}"
    with requests.post(url, json=asked, headers={"X-Model-Affinity": "s"}, stream=True, timeout=60) as answer:
        lines = answer.iter_lines()
        next(lines)
        web.send(signal.SIGTERM)
        rest = [line for line in lines if line]
    return rest, web.stop()
