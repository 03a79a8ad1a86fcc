"""Chat clients of a provider that caches prompts in its Messages API alone are served by that one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running
from tests.web.client_apis import PATHS, ask
from tests.web.gateway import Gateway, Outside

CONFIG = """
version: v0.4.0
model_providers:
  - {model: anthropic/m, base_url: "http://127.0.0.1:%(port)d/v1", access_key: k, default: true}
  - {model: plain/m, base_url: "http://127.0.0.1:%(port)d/v1", provider_interface: anthropic, prompt_caching: off}
  - {model: chatty/m, base_url: "http://127.0.0.1:%(port)d/v1", provider_interface: anthropic, apis: [chat, messages]}
  - {model: own/m, base_url: "http://127.0.0.1:%(port)d/v1", provider_interface: anthropic, passthrough_auth: true}
"""
MARK = {"type": "ephemeral"}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "ab"]
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "three"},
]


@pytest.fixture(scope="module")
def web(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG % {"port": outside.provider.port}
    port = free_port()
    with running(Pool(tmp_path_factory.mktemp("caching"), config, server.url)) as pool:
        pool.web(port)
        yield Gateway(port)


def asked(provider: Provider) -> tuple[str, dict[str, Any]]:
    """The path and the body of the only request."""
    (request,) = provider.requests
    return request.path, json.loads(request.body)


def test_a_chat_clients_prompt_is_cached(web: Gateway, provider: Provider) -> None:
    """At the end of tools, system and the last two user turns; the answer is chat again."""
    answer = ask(web, "chat", "anthropic/m", messages=TURNS, tools=TOOLS)

    path, body = asked(provider)
    marked = [
        place
        for place, blocks in (
            ("tools", body["tools"]),
            ("system", body["system"]),
            *((str(n), turn["content"]) for n, turn in enumerate(body["messages"])),
        )
        for block in blocks
        if block.get("cache_control") == MARK
    ]
    assert path == "/v1/messages"
    assert marked == ["tools", "system", "2", "4"]
    assert body["tools"][-1]["cache_control"] == MARK
    assert answer.headers["x-plano-translated"] == "chat>messages"
    assert answer.json()["object"] == "chat.completion"


def test_where_the_client_marks_its_prompt_nothing_is_added(web: Gateway, provider: Provider) -> None:
    own = {"role": "user", "content": [{"type": "text", "text": "one", "cache_control": MARK}]}

    ask(web, "chat", "anthropic/m", messages=[TURNS[0], own, *TURNS[2:]])

    _, body = asked(provider)
    assert json.dumps(body).count("cache_control") == 1
    assert body["messages"][0]["content"][0]["cache_control"] == MARK


@pytest.mark.parametrize(("api", "conversation"), [("chat", "messages"), ("responses", "input")])
def test_what_the_client_tells_anthropic_in_headers_comes_along(
    web: Gateway, provider: Provider, api: str, conversation: str
) -> None:
    body = json.dumps({"model": "anthropic/m", conversation: TURNS}).encode()

    web.ask("POST", PATHS[api], body, anthropic_beta="b-1,b-2", openai_beta="b-3")

    (request,) = provider.requests
    assert request.path == "/v1/messages"
    assert request.header("anthropic-beta") == "b-1,b-2"
    assert request.header("openai-beta") is None


def test_a_responses_clients_prompt_is_cached_too(web: Gateway, provider: Provider) -> None:
    ask(web, "responses", "anthropic/m", input=TURNS)

    path, body = asked(provider)
    assert path == "/v1/messages"
    assert json.dumps(body).count("cache_control") == 3


@pytest.mark.parametrize("model", ["plain/m", "chatty/m"])
def test_the_operator_can_have_chat_passed_on_as_it_came(web: Gateway, provider: Provider, model: str) -> None:
    answer = ask(web, "chat", model, messages=TURNS, tools=TOOLS, x_unknown=[1, 2.50])

    path, body = asked(provider)
    assert path == "/v1/chat/completions"
    assert "cache_control" not in json.dumps(body)
    assert body["x_unknown"] == [1, 2.5]
    assert "x-plano-translated" not in answer.headers


@pytest.mark.parametrize(
    "field",
    [
        {"response_format": {"type": "json_object"}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"top_k": 5},
    ],
    ids=lambda field: next(iter(field)),
)
def test_what_only_chat_can_say_is_passed_on_as_it_came(
    web: Gateway, provider: Provider, field: dict[str, Any]
) -> None:
    """Anthropic's chat takes fields of its own; `anthropic-beta` comes along with them."""
    body = json.dumps({"model": "anthropic/m", "messages": TURNS, **field}).encode()

    answer = web.ask("POST", "/v1/chat/completions", body, anthropic_beta="b-1")

    path, sent = asked(provider)
    assert answer.status_code == 200
    assert path == "/v1/chat/completions"
    assert sent == {"model": "m", "messages": TURNS, **field}
    assert provider.requests[0].header("anthropic-beta") == "b-1"


def test_what_the_other_api_does_without_keeps_no_prompt_from_its_cache(web: Gateway, provider: Provider) -> None:
    ask(web, "chat", "anthropic/m", messages=TURNS, seed=7, session_id="s", stream_options={"include_usage": True})

    assert asked(provider)[0] == "/v1/messages"


def test_a_clients_own_credential_goes_where_it_was_meant_to_go(web: Gateway, provider: Provider) -> None:
    """A chat client's key comes as a bearer token, which the Messages API takes for another kind of credential."""
    body = json.dumps({"model": "own/m", "messages": TURNS}).encode()

    web.ask("POST", "/v1/chat/completions", body, X_Provider_Authorization="Bearer sk-ant-own")

    assert asked(provider)[0] == "/v1/chat/completions"
