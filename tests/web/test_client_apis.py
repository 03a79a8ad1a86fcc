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
from tests.web.client_apis import APIS, PATHS, ROUTES, ask, asking, config, pins
from tests.web.gateway import Gateway, Outside, Webs

TOOL = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
WEB_SEARCH = {"messages": {"type": "web_search_20250305", "name": "web_search"}, "responses": {"type": "web_search"}}


@pytest.fixture(scope="module")
def crossing(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With a route whose models speak different APIs."""
    port = free_port()
    routing = f'routing: {{router: {{url: "http://127.0.0.1:{outside.router.port}/v1"}}}}\n'
    pool = Pool(tmp_path_factory.mktemp("crossing"), config(outside, ROUTES + routing), server.url)
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


def test_an_error_at_the_messages_api_has_its_shape(each_api: Gateway) -> None:
    assert told(ask(each_api, "messages", "none/m"))["type"] == "not_found_error"
    assert told(each_api.ask("POST", "/v1/messages", b"{}"))["type"] == "invalid_request_error"
    assert told(each_api.ask("GET", "/v1/messages/none"))["type"] == "not_found_error"
    assert told(each_api.ask("GET", "/v1/messages"))["message"] == "GET is not allowed at /v1/messages"
    assert told(each_api.ask("POST", "/routing/v1/messages", b"nothing"))["type"] == "invalid_request_error"


def test_so_has_one_that_no_view_has_seen(each_api: Gateway) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX-Api-Key: a\r\nX-Api-Key: b\r\n\r\n{}"

    answer = each_api.raw(head)

    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 400")
    assert json.loads(content)["error"]["type"] == "invalid_request_error"


def test_a_key_may_come_in_anthropics_header(webs: Webs) -> None:
    with closing(Gateway(webs.strict.port)) as strict:
        wrong = ask(strict, "messages", "openai/gpt-4o-mini")
        right = strict.ask("POST", PATHS["messages"], asking("messages", "openai/gpt-4o-mini"), x_api_key="ck-bare")

    assert (wrong.status_code, told(wrong)["type"]) == (401, "authentication_error")
    assert right.status_code == 200


def test_another_api_is_translated_and_says_so(each_api: Gateway, provider: Provider) -> None:
    answer = each_api.ask("POST", "/v1/messages", asking("messages", "of-chat/m"), anthropic_beta="a-1")

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
    each_api: Gateway, provider: Provider, fields: dict[str, Any], asked: str
) -> None:
    """Its newer models refuse functions with an effort in chat, and say that Responses is the API for that."""
    answer = ask(each_api, "messages", "of-both/m", **fields)

    (request,) = provider.requests
    assert answer.headers["x-plano-translated"] == f"messages>{asked}"
    assert request.path == PATHS[asked]
    assert answer.json()["type"] == "message"


def test_a_request_that_neither_api_can_say_is_refused_before_it_is_sent(
    each_api: Gateway, provider: Provider
) -> None:
    answer = ask(each_api, "messages", "of-both/m", tools=[WEB_SEARCH["messages"]])

    assert answer.status_code == 400
    assert "web_search" in told(answer)["message"]
    assert provider.calls == 0


def test_a_providers_error_keeps_its_bytes_or_its_words(each_api: Gateway, provider: Provider) -> None:
    body = {"error": {"message": "prompt is too long: 3 > 2", "type": "invalid_request_error", "code": "long"}}
    provider.behave("status", code=400, body=body)

    same = ask(each_api, "chat", "of-chat/m")
    other = ask(each_api, "messages", "of-chat/m")
    reverse = ask(each_api, "responses", "of-messages/m")

    assert json.loads(same.content) == body
    assert (other.status_code, told(other)["message"]) == (400, "prompt is too long: 3 > 2")
    assert reverse.json()["error"]["message"] == "prompt is too long: 3 > 2"


def test_an_answer_that_cannot_be_translated_is_the_providers_failure(each_api: Gateway, provider: Provider) -> None:
    provider.behave("not_json", times=1)
    page = ask(each_api, "messages", "of-chat/m")
    provider.behave("status", code=400, body={"error": {"message": "x" * 2_000_000}}, times=1)
    long = ask(each_api, "messages", "of-chat/m")

    assert (page.status_code, told(page)["type"]) == (502, "api_error")
    assert (long.status_code, told(long)["message"]) == (400, "The provider answered 400")


@pytest.mark.parametrize("served", APIS)
@pytest.mark.parametrize("spoken", APIS)
def test_a_stream_that_breaks_ends_with_the_clients_own_error(
    each_api: Gateway, provider: Provider, spoken: str, served: str
) -> None:
    provider.behave("half_stream", times=1)

    answer = ask(each_api, spoken, f"of-{served}/m", stream=True)

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
    each_api: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    sent = asking("messages", "of-chat/m", tools=[WEB_SEARCH["messages"]])

    answer = each_api.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 400
    assert "web_search" in told(answer)["message"]
    assert pins(cache, session) == []
    assert provider.calls == 0


def test_a_candidate_that_has_it_is_taken(crossing: Gateway, provider: Provider, session: str) -> None:
    sent = asking("messages", "of-messages/m", "anything", tools=[WEB_SEARCH["messages"]])

    answer = crossing.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert "x-plano-fallback" not in answer.headers
    assert provider.requests[-1].path == PATHS["messages"]


def test_a_pinned_model_without_it_lets_the_next_one_answer(
    crossing: Gateway, cache: redis.Redis, session: str
) -> None:
    pin = {"model_name": "of-chat/m", "route_name": "mixed"}
    cache.set(f"plano:affinity:{session}", json.dumps(pin), ex=600)
    sent = asking("messages", "of-messages/m", tools=[WEB_SEARCH["messages"]])

    answer = crossing.ask("POST", "/v1/messages", sent, x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert "of-chat/m;untranslatable" in answer.headers["x-plano-fallback"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
def test_failover_crosses_apis(
    crossing: Gateway, cache: redis.Redis, session: str, api: str, *, stream: bool
) -> None:
    pin = {"model_name": "of-chat/failing", "route_name": "crossing"}
    cache.set(f"plano:affinity:{session}", json.dumps(pin), ex=600)

    answer = crossing.ask("POST", PATHS[api], asking(api, "of-chat/m", stream=stream), x_model_affinity=session)

    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "of-messages/m"
    assert answer.headers.get("x-plano-translated") == (None if api == "messages" else f"{api}>messages")
    assert answer.headers["x-plano-fallback"].startswith("of-chat/failing;")
    assert "m heard: hello" in answer.text or stream


def test_messages_need_max_tokens_where_they_are_translated(each_api: Gateway) -> None:
    answer = ask(each_api, "messages", "of-chat/m", max_tokens=None)

    assert answer.status_code == 400
    assert "max_tokens" in told(answer)["message"]


@pytest.mark.parametrize("api", APIS)
def test_the_decision_alone_is_there_for_each_api(each_api: Gateway, session: str, api: str) -> None:
    path = "/routing" + PATHS[api]

    answer = each_api.ask("POST", path, asking(api, "of-chat/m"), x_model_affinity=session)

    assert answer.json()["models"] == ["of-chat/m"]
    assert answer.headers["x-plano-session"] == "header"


def test_the_router_reads_a_responses_input(crossing: Gateway, session: str) -> None:
    sent = json.dumps({"model": "of-chat/m", "input": "anything you like"}).encode()

    answer = crossing.ask("POST", "/routing/v1/responses", sent, x_model_affinity=session)

    assert answer.json()["route"] == "mixed"


@pytest.mark.parametrize("field", [{"input": 7}, {"input": [7]}, {"input": []}, {}])
def test_an_input_that_cannot_be_read_is_named(crossing: Gateway, session: str, field: dict[str, Any]) -> None:
    sent = json.dumps({"model": "of-chat/m", **field}).encode()

    answer = crossing.ask("POST", PATHS["responses"], sent, x_model_affinity=session)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input")
