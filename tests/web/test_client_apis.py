"""What holds on every endpoint of every client API."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running
from tests.web.client_apis import PATHS, ROUTES, ask, asking, config
from tests.web.gateway import Gateway, Outside, Webs

APIS = ("chat", "messages", "responses")
UUID = "5f0c7c1e-2f7d-4f1e-9a55-3c1df0f3a002"
TOOL = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
WEB_SEARCH = {"messages": {"type": "web_search_20250305", "name": "web_search"}, "responses": {"type": "web_search"}}


@pytest.fixture(scope="module")
def web(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    port = free_port()
    with running(Pool(tmp_path_factory.mktemp("apis"), config(outside), server.url)) as pool:
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def routed(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With a route whose models speak different APIs."""
    port = free_port()
    routing = f'routing: {{router: {{url: "http://127.0.0.1:{outside.router.port}/v1"}}}}\n'
    pool = Pool(tmp_path_factory.mktemp("routed"), config(outside, ROUTES + routing), server.url)
    with running(pool):
        pool.web(port)
        pool.worker()
        with closing(Gateway(port)) as gateway:
            yield gateway


def told(answer: requests.Response) -> dict[str, Any]:
    """An error in the shape of the Messages API; fails unless it has that shape."""
    said: dict[str, Any] = answer.json()
    assert list(said) == ["type", "error", "request_id"]
    assert said["type"] == "error"
    assert said["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = said["error"]
    assert list(error) == ["type", "message"]
    return error


def pins(cache: redis.Redis, session: str) -> list[str]:
    return sorted(key.decode() for key in cache.scan_iter(f"plano:affinity:*{session}*"))


def test_an_error_at_the_messages_api_has_its_shape(web: Gateway) -> None:
    assert told(ask(web, "messages", "none/m"))["type"] == "not_found_error"
    assert told(web.ask("POST", "/v1/messages", b"{}"))["type"] == "invalid_request_error"
    assert told(web.ask("GET", "/v1/messages/none"))["type"] == "not_found_error"
    assert told(web.ask("GET", "/v1/messages"))["message"] == "GET is not allowed at /v1/messages"
    assert told(web.ask("POST", "/routing/v1/messages", b"nothing"))["type"] == "invalid_request_error"


def test_so_has_one_that_no_view_has_seen(web: Gateway) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-Api-Key: a\r\nX-Api-Key: b\r\n\r\n{}"

    answer = web.raw(head)

    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 400")
    assert json.loads(content)["error"]["type"] == "invalid_request_error"


def test_a_key_may_come_in_anthropics_header(webs: Webs) -> None:
    with closing(Gateway(webs.strict.port)) as strict:
        wrong = ask(strict, "messages", "openai/gpt-4o-mini")
        right = strict.ask("POST", PATHS["messages"], asking("messages", "openai/gpt-4o-mini"), x_api_key="ck-bare")

    assert (wrong.status_code, told(wrong)["type"]) == (401, "authentication_error")
    assert right.status_code == 200


@pytest.mark.parametrize("long", [b"", b"\\u00fc" * 50_000], ids=["short", "long"])
@pytest.mark.parametrize("api", APIS)
def test_the_same_api_passes_byte_for_byte_but_for_the_model(
    web: Gateway, provider: Provider, api: str, long: bytes
) -> None:
    odd = b'"x_odd": [1e2, -0.0, "\\u00fc%s", {"cache_control" : {"type":"ephemeral"}}], "metadata": {"user_id": "p"}'
    odd %= long
    sent = asking(api, f"of-{api}/m")[:-1] + b", " + odd + b"}"

    answer = web.ask("POST", PATHS[api] + "?beta=true", sent)

    (request,) = provider.requests
    for piece in odd.split(b", "):
        assert piece.split(b": ", 1)[-1] in request.body
    assert list(request.json) == list(json.loads(sent))
    assert request.json == {**json.loads(sent), "model": "m"}
    assert answer.json()["model"] == f"of-{api}/m"
    assert request.path == PATHS[api]
    assert "x-plano-translated" not in answer.headers


def test_a_messages_provider_is_sent_its_key_and_its_headers(web: Gateway, provider: Provider) -> None:
    web.ask("POST", "/v1/messages", asking("messages", "of-messages/m"), authorization="Bearer mine")
    web.ask(
        "POST",
        "/v1/messages",
        asking("messages", "of-messages/m"),
        anthropic_version="2099-01-01",
        anthropic_beta="a-1,b-2",
    )

    plain, said = provider.requests
    assert (plain.header("x-api-key"), plain.header("authorization")) == ("k-messages", None)
    assert plain.header("anthropic-version") == "2023-06-01"
    assert (said.header("anthropic-version"), said.header("anthropic-beta")) == ("2099-01-01", "a-1,b-2")


def test_a_clients_own_key_reaches_its_provider_as_the_api_has_it(web: Gateway, provider: Provider) -> None:
    for api in ("messages", "chat"):
        web.ask("POST", PATHS[api], asking(api, "own/m"), x_api_key="sk-mine")
        web.ask("POST", PATHS[api], asking(api, "own/m"), authorization="Bearer sk-mine")
    web.ask("POST", PATHS["chat"], asking("chat", "of-messages/m"), x_api_key="sk-mine")

    sent = [(request.header("x-api-key"), request.header("authorization")) for request in provider.requests]
    bearer = (None, "Bearer sk-mine")
    assert sent == [("sk-mine", None), bearer, bearer, bearer, ("k-messages", None)]


def test_reasoning_of_another_provider_is_left_out_for_the_one_that_signs_its_own(
    web: Gateway, provider: Provider
) -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": ""}
    carrier = {"type": "redacted_thinking", "data": "plano:chat:{}"}
    own = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    said = {"type": "text", "text": "yes"}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [foreign, carrier, own, said]},
        {"role": "user", "content": "go on"},
    ]

    ask(web, "messages", "of-messages/m", messages=turns)

    assert provider.requests[-1].json["messages"][1]["content"] == [own, said]


@pytest.mark.parametrize(
    ("api", "field", "conversation"),
    [
        (
            "messages",
            "messages",
            b'[{"role": "user", "content": [1e2, "plano:chat:", {"type": "thinking" , "signature": "s"}]}]',
        ),
        ("responses", "input", b'[{"type": "reasoning", "encrypted_content": "s" , "odd": 1e2}, "plano:chat:"]'),
    ],
    ids=["messages", "responses"],
)
def test_what_only_looks_like_such_reasoning_passes_byte_for_byte(
    web: Gateway, provider: Provider, api: str, field: str, conversation: bytes
) -> None:
    sent = asking(api, f"of-{api}/m", **{field: "HERE"}).replace(b'"HERE"', conversation)

    web.ask("POST", PATHS[api], sent)

    (request,) = provider.requests
    assert conversation in request.body


def test_what_looks_like_it_outside_the_conversation_has_nothing_read(web: Gateway, provider: Provider) -> None:
    """With so many values a body that had to be read would be refused."""
    odd = b'["plano:chat:", "thinking"' + b",0" * 510_000 + b"]"
    sent = asking("messages", "of-messages/m", x_odd="HERE").replace(b'"HERE"', odd)

    answer = web.ask("POST", PATHS["messages"], sent)

    assert answer.status_code == 200
    assert odd in provider.requests[-1].body


def test_another_api_is_translated_and_says_so(web: Gateway, provider: Provider) -> None:
    answer = web.ask("POST", "/v1/messages", asking("messages", "of-chat/m"), anthropic_beta="a-1")

    (request,) = provider.requests
    assert answer.headers["x-plano-translated"] == "messages>chat"
    assert request.path == PATHS["chat"]
    assert request.header("authorization") == "Bearer k-chat"
    assert request.header("anthropic-beta") is None


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"tools": [TOOL], "output_config": {"effort": "high"}}, "responses"),
        ({"output_config": {"effort": "high"}}, "chat"),
        ({"tools": [TOOL], "stop_sequences": ["END"]}, "chat"),
    ],
    ids=["with tools", "without tools", "what only chat can say"],
)
def test_tools_and_thinking_reach_openai_where_its_models_take_both(
    web: Gateway, provider: Provider, fields: dict[str, Any], asked: str
) -> None:
    """Its newer models refuse functions with an effort in chat, and say that Responses is the API for that."""
    answer = ask(web, "messages", "of-both/m", **fields)

    (request,) = provider.requests
    assert answer.headers["x-plano-translated"] == f"messages>{asked}"
    assert request.path == PATHS[asked]
    assert answer.json()["type"] == "message"


def test_a_request_that_neither_api_can_say_is_refused_before_it_is_sent(web: Gateway, provider: Provider) -> None:
    answer = ask(web, "messages", "of-both/m", tools=[WEB_SEARCH["messages"]])

    assert answer.status_code == 400
    assert "web_search" in told(answer)["message"]
    assert provider.calls == 0


def test_a_providers_error_keeps_its_bytes_or_its_words(web: Gateway, provider: Provider) -> None:
    body = {"error": {"message": "prompt is too long: 3 > 2", "type": "invalid_request_error", "code": "long"}}
    provider.behave("status", code=400, body=body)

    same = ask(web, "chat", "of-chat/m")
    other = ask(web, "messages", "of-chat/m")
    reverse = ask(web, "responses", "of-messages/m")

    assert json.loads(same.content) == body
    assert (other.status_code, told(other)["message"]) == (400, "prompt is too long: 3 > 2")
    assert reverse.json()["error"]["message"] == "prompt is too long: 3 > 2"


def test_an_answer_that_cannot_be_translated_is_the_providers_failure(web: Gateway, provider: Provider) -> None:
    provider.behave("not_json", times=1)
    page = ask(web, "messages", "of-chat/m")
    provider.behave("status", code=400, body={"error": {"message": "x" * 2_000_000}}, times=1)
    long = ask(web, "messages", "of-chat/m")

    assert (page.status_code, told(page)["type"]) == (502, "api_error")
    assert (long.status_code, told(long)["message"]) == (400, "The provider answered 400")


@pytest.mark.parametrize("served", APIS)
@pytest.mark.parametrize("spoken", APIS)
def test_a_stream_that_breaks_ends_with_the_clients_own_error(
    web: Gateway, provider: Provider, spoken: str, served: str
) -> None:
    provider.behave("half_stream", times=1)

    answer = ask(web, spoken, f"of-{served}/m", stream=True)

    last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    said = json.loads(last.removeprefix("data: "))
    if spoken == "messages":
        assert said["type"] == "error"
        assert said["error"]["type"] == "api_error"
    elif spoken == "responses":
        assert said["type"] in {"error", "response.failed"}
        assert isinstance(said["sequence_number"], int)
    else:
        assert said["error"]["message"]


def test_a_tool_that_no_candidate_has_is_refused_before_anything_is_pinned(
    web: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    sent = asking("messages", "of-chat/m", tools=[WEB_SEARCH["messages"]])

    answer = web.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 400
    assert "web_search" in told(answer)["message"]
    assert pins(cache, session) == []
    assert provider.calls == 0


def test_a_candidate_that_has_it_is_taken(routed: Gateway, provider: Provider, session: str) -> None:
    sent = asking("messages", "of-messages/m", "anything", tools=[WEB_SEARCH["messages"]])

    answer = routed.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert "x-plano-fallback" not in answer.headers
    assert provider.requests[-1].path == PATHS["messages"]


def test_a_pinned_model_without_it_lets_the_next_one_answer(
    routed: Gateway, cache: redis.Redis, session: str
) -> None:
    pin = {"model_name": "of-chat/m", "route_name": "mixed"}
    cache.set(f"plano:affinity:{session}", json.dumps(pin), ex=600)
    sent = asking("messages", "of-messages/m", tools=[WEB_SEARCH["messages"]])

    answer = routed.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert "of-chat/m;untranslatable" in answer.headers["x-plano-fallback"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
def test_failover_crosses_apis(routed: Gateway, cache: redis.Redis, session: str, api: str, *, stream: bool) -> None:
    pin = {"model_name": "of-chat/failing", "route_name": "crossing"}
    cache.set(f"plano:affinity:{session}", json.dumps(pin), ex=600)

    answer = routed.ask("POST", PATHS[api], asking(api, "of-chat/m", stream=stream), x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert answer.headers.get("x-plano-translated") == (None if api == "messages" else f"{api}>messages")
    assert answer.headers["x-plano-fallback"].startswith("of-chat/failing;")
    assert "m heard: hello" in answer.text or stream


def test_messages_need_max_tokens_where_they_are_translated(web: Gateway) -> None:
    answer = ask(web, "messages", "of-chat/m", max_tokens=None)

    assert answer.status_code == 400
    assert "max_tokens" in told(answer)["message"]


def test_a_session_of_claude_code_is_known_by_header_and_by_body(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    user_id = json.dumps({"device_id": "d", "session_id": session})
    by_header = web.ask("POST", "/v1/messages", asking("messages", "of-chat/m"), x_claude_code_session_id=session)
    by_body = ask(web, "messages", "of-chat/m", metadata={"user_id": user_id})
    older = ask(web, "messages", "of-chat/m", metadata={"user_id": f"user_x_account__session_{session}"})

    answers = (by_header, by_body, older)
    assert [answer.headers["x-plano-session"] for answer in answers] == ["claude-code"] * 3
    assert [answer.headers.get("x-plano-pinned") for answer in answers] == [None, "true", "true"]
    assert pins(cache, session) == [f"plano:affinity:{session}~of-chat/m"]


def test_a_title_with_a_small_model_neither_makes_nor_moves_the_main_pin(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    for model in ("of-chat/small", "of-messages/m"):
        ask_it = asking("messages", model)
        web.ask("POST", "/v1/messages", ask_it, x_claude_code_session_id=session)

    assert pins(cache, session) == [
        f"plano:affinity:{session}~of-chat/small",
        f"plano:affinity:{session}~of-messages/m",
    ]


@pytest.mark.parametrize("user_id", ["{", '{"session_id": 7}', "plain", 7, None, "x_session_é"])
def test_a_broken_user_id_is_no_session_and_no_error(web: Gateway, user_id: Any) -> None:
    answer = ask(web, "messages", "of-messages/m", metadata={"user_id": user_id})

    assert answer.status_code == 200
    assert "x-plano-session" not in answer.headers


def test_codex_is_known_by_its_headers_and_by_its_body(web: Gateway, session: str) -> None:
    by_header = web.ask("POST", PATHS["responses"], asking("responses", "of-responses/m"), session_id=session)
    by_body = ask(web, "responses", "of-responses/m", client_metadata={"session_id": session})
    by_key = ask(web, "responses", "of-responses/m", prompt_cache_key=session)
    short = ask(web, "responses", "of-responses/m", prompt_cache_key="prompt-7")

    sources = [answer.headers.get("x-plano-session") for answer in (by_header, by_body, by_key, short)]
    assert sources == ["codex", "codex", "prompt-cache-key", None]
    assert by_body.headers["x-plano-pinned"] == "true"


@pytest.mark.parametrize("api", APIS)
def test_the_decision_alone_is_there_for_each_api(web: Gateway, session: str, api: str) -> None:
    path = "/routing" + PATHS[api]

    answer = web.ask("POST", path, asking(api, "of-chat/m"), x_model_affinity=session)

    assert answer.json()["models"] == ["of-chat/m"]
    assert answer.headers["x-plano-session"] == "header"


def test_the_router_reads_a_responses_input(routed: Gateway, session: str) -> None:
    sent = json.dumps({"model": "of-chat/m", "input": "anything you like"}).encode()

    answer = routed.ask("POST", "/routing/v1/responses", sent, x_model_affinity=session)

    assert answer.json()["route"] == "mixed"


@pytest.mark.parametrize("field", [{"input": 7}, {"input": [7]}, {"input": []}, {}])
def test_an_input_that_cannot_be_read_is_named(routed: Gateway, session: str, field: dict[str, Any]) -> None:
    sent = json.dumps({"model": "of-chat/m", **field}).encode()

    answer = routed.ask("POST", PATHS["responses"], sent, x_model_affinity=session)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input")
