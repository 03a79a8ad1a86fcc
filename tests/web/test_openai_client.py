"""The official client of the OpenAI API needs nothing but the address and one header."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fakes.router import Router
from tests.web.gateway import REVIEW, WRITE, Gateway

AUTO: Any = {"model": "openai/gpt-4o-mini"}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture
def client(web: Gateway, session: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=web.base_url, api_key="k", max_retries=0, default_headers={"X-Model-Affinity": session}
    ) as client:
        yield client


def test_a_conversation_stays_on_one_model_streamed_or_not(client: openai.OpenAI, router: Router) -> None:
    ask = client.chat.completions.with_raw_response.create

    first = ask(**AUTO, messages=said(REVIEW))
    second = ask(**AUTO, messages=said(WRITE))
    third = ask(**AUTO, messages=said(WRITE), stream=True)

    chunks = list(third.parse())
    assert {chunk.model for chunk in chunks} == {"openai/gpt-5.2"}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == f"gpt-5.2 heard: {WRITE}"
    assert (first.parse().model, second.parse().model) == ("openai/gpt-5.2", "openai/gpt-5.2")
    assert second.parse().choices[0].message.content == f"gpt-5.2 heard: {WRITE}"
    assert [answer.headers.get("x-plano-model") for answer in (first, second, third)] == ["openai/gpt-5.2"] * 3
    assert [answer.headers.get("x-plano-pinned") for answer in (first, second, third)] == [None, "true", "true"]
    assert (first.parse().model_extra or {}).get("x_plano_pinned") is None
    assert (second.parse().model_extra or {}).get("x_plano_pinned") is True
    assert router.calls == 1


def test_a_session_may_begin_with_a_stream(client: openai.OpenAI, router: Router) -> None:
    ask = client.chat.completions.with_raw_response.create

    first = ask(**AUTO, messages=said(REVIEW), stream=True)
    begun = list(first.parse())
    second = ask(**AUTO, messages=said(WRITE))

    assert {chunk.model for chunk in begun} == {second.parse().model} == {"openai/gpt-5.2"}
    assert [answer.headers.get("x-plano-pinned") for answer in (first, second)] == [None, "true"]
    assert router.calls == 1


def test_the_header_may_come_with_a_single_call(web: Gateway, session: str) -> None:
    with openai.OpenAI(base_url=web.base_url, api_key="k", max_retries=0) as client:
        answers = [
            client.chat.completions.create(**AUTO, messages=said(text), extra_headers={"X-Model-Affinity": session})
            for text in (REVIEW, WRITE)
        ]
        alone = client.chat.completions.create(**AUTO, messages=said(WRITE))

    assert [answer.model for answer in answers] == ["openai/gpt-5.2", "openai/gpt-5.2"]
    assert alone.model == "anthropic/claude-sonnet-4-20250514"


def test_the_tools_of_an_agent_are_called_by_one_model(client: openai.OpenAI, router: Router) -> None:
    message = client.chat.completions.create(**AUTO, messages=said(REVIEW), tools=[WEATHER]).choices[0].message
    streamed = list(client.chat.completions.create(**AUTO, messages=said(REVIEW), tools=[WEATHER], stream=True))
    assert message.tool_calls
    turns = [*said(REVIEW), message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}]
    end = client.chat.completions.create(**AUTO, messages=turns, tools=[WEATHER])

    (call,) = message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    pieces = [piece for chunk in streamed for piece in chunk.choices[0].delta.tool_calls or ()]
    assert pieces[0].id == call.id
    assert "".join(piece.function.arguments or "" for piece in pieces if piece.function) == call.function.arguments
    assert streamed[-1].choices[0].finish_reason == "tool_calls"
    assert end.choices[0].message.content == f"gpt-5.2 heard: {REVIEW}"
    assert (end.model, streamed[0].model) == ("openai/gpt-5.2", "openai/gpt-5.2")
    assert router.calls == 1


def test_the_asynchronous_client_holds_many_conversations_at_once(web: Gateway, router: Router, session: str) -> None:
    async def conversation(client: openai.AsyncOpenAI, n: int) -> list[str]:
        headers = {"X-Model-Affinity": f"{session}-{n}"}
        first = await client.chat.completions.create(
            **AUTO, messages=said((REVIEW, WRITE)[n % 2]), extra_headers=headers
        )
        stream = await client.chat.completions.create(
            **AUTO, messages=said((WRITE, REVIEW)[n % 2]), extra_headers=headers, stream=True
        )
        return [first.model, *{chunk.model async for chunk in stream}]

    async def all_of_them() -> list[list[str]]:
        async with openai.AsyncOpenAI(base_url=web.base_url, api_key="k", max_retries=0) as client:
            return await asyncio.gather(*(conversation(client, n) for n in range(6)))

    heard = asyncio.run(all_of_them())

    assert heard[::2] == [["openai/gpt-5.2"] * 2] * 3
    assert heard[1::2] == [["anthropic/claude-sonnet-4-20250514"] * 2] * 3
    assert router.calls == 6


def test_a_question_of_usage_is_answered_in_the_last_chunk(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            **AUTO, messages=said(REVIEW), stream=True, stream_options={"include_usage": True}
        )
    )

    assert chunks[-1].usage
    assert chunks[-1].usage.total_tokens > 0
    assert chunks[-1].model == "openai/gpt-5.2"


def test_errors_are_the_clients_own_exceptions(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="openai/none", messages=said(REVIEW))
    with pytest.raises(openai.BadRequestError) as empty:
        client.chat.completions.create(**AUTO, messages=[])

    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert empty.value.param == "messages"
    assert empty.value.request_id


def test_the_client_lists_the_models(client: openai.OpenAI) -> None:
    models = list(client.models.list())

    assert [model.id for model in models][:2] == ["openai/gpt-4o-mini", "openai/gpt-5.2"]
