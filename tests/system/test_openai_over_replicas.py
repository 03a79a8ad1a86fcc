"""The official client over two web processes: one model and one router call a session, streamed or not."""

from collections.abc import Callable
from typing import Any

from openai import OpenAI

from tests.fakes.router import Router
from tests.harness import Pool
from tests.system.asking import DEEP, QUICK


def test_every_later_answer_is_pinned_on_either_replica(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router
) -> None:
    pool = start()
    pool.serve(*ports)

    first, *later = [_answered(port, text, stream=stream) for port, text, stream in _calls(ports)]

    assert first == ("openai/gpt-5.2", None)
    assert later == [("openai/gpt-5.2", "true")] * 4
    assert router.calls == 1


def _calls(ports: tuple[int, int]) -> list[tuple[int, str, bool]]:
    one, other = ports
    return [(one, DEEP, False), (other, QUICK, False), (other, QUICK, True), (one, QUICK, True), (one, QUICK, False)]


def _answered(port: int, text: str, *, stream: bool) -> tuple[str, str | None]:
    """The model that the answer names, in every chunk of a stream, and the pinned header."""
    headers = {"X-Model-Affinity": "sdk"}
    with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="unused", max_retries=0, timeout=10) as client:
        create: Any = client.chat.completions.with_raw_response.create  # its overloads want a literal `stream`
        messages = [{"role": "user", "content": text}]
        raw = create(model="openai/gpt-4o-mini", messages=messages, stream=stream, extra_headers=headers)
        parsed = raw.parse()
        (model,) = {chunk.model for chunk in parsed} if stream else {parsed.model}
        return model, raw.headers.get("x-plano-pinned")
