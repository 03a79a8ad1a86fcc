"""Endpoints beside the conversation: counting, kept responses, compaction, embeddings, older completions."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import openai
import pytest
import redis

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web.client_apis import PATHS, ask, asking, config
from tests.web.gateway import Gateway, Outside

KEYS = """
auth: {keys: [{name: one, key: gw-one, tenant: t-one}, {name: two, key: gw-two, tenant: t-two}]}
"""


@pytest.fixture(scope="module")
def pair(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Gateway]]:
    """Two replicas with keys of two tenants."""
    ports = free_port(), free_port()
    with running(Pool(tmp_path_factory.mktemp("kept"), config(outside, KEYS), server.url)) as pool:
        for port in ports:
            pool.web(port)
        with closing(Gateway(ports[0])) as one, closing(Gateway(ports[1])) as two:
            one.headers = two.headers = {"authorization": "Bearer gw-one"}
            yield one, two


def test_a_previous_response_goes_to_the_model_that_made_it(
    pair: tuple[Gateway, Gateway], provider: Provider
) -> None:
    one, two = pair
    first = ask(one, "responses", "of-responses/m").json()["id"]

    answer = ask(two, "responses", "of-chat/m", previous_response_id=first)

    assert answer.headers["x-plano-model"] == "of-responses/m"
    assert provider.requests[-1].path == PATHS["responses"]
    assert provider.requests[-1].json["previous_response_id"] == first


def test_a_streamed_one_is_known_too(pair: tuple[Gateway, Gateway]) -> None:
    one, two = pair
    with openai.OpenAI(base_url=one.base_url, api_key="gw-one", max_retries=0) as client:
        events = list(client.responses.create(model="of-responses/m", input="a stream", stream=True))
    assert events[-1].type == "response.completed"

    with openai.OpenAI(base_url=two.base_url, api_key="gw-one", max_retries=0) as client:
        first = events[-1].response.id
        answer = client.responses.create(model="of-chat/m", input="more", previous_response_id=first)

    assert answer.model == "of-responses/m"


@pytest.mark.parametrize("unknown", ["resp_none", "resp/../x", "x" * 300])
def test_an_unknown_one_is_an_error_of_its_own(pair: tuple[Gateway, Gateway], unknown: str) -> None:
    answer = ask(pair[0], "responses", "of-responses/m", previous_response_id=unknown)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "previous_response_not_found"


def test_another_tenants_response_is_not_known(pair: tuple[Gateway, Gateway]) -> None:
    one, two = pair
    kept = ask(one, "responses", "of-responses/m", input="of tenant one").json()["id"]
    sent = asking("responses", "of-responses/m", previous_response_id=kept)

    answer = two.ask("POST", PATHS["responses"], sent, authorization="Bearer gw-two")
    shown = two.ask("GET", f"/v1/responses/{kept}", authorization="Bearer gw-two")

    assert answer.json()["error"]["code"] == "previous_response_not_found"
    assert shown.status_code == 404


def test_what_is_not_stored_or_was_translated_is_not_noted(pair: tuple[Gateway, Gateway], cache: redis.Redis) -> None:
    unstored = ask(pair[0], "responses", "of-responses/m", input="not stored", store=False).json()["id"]
    translated = ask(pair[0], "responses", "of-chat/m", input="translated").json()["id"]

    assert not cache.exists(f"plano:response:t-one:{unstored}")
    assert not cache.exists(f"plano:response:t-one:{translated}")


def test_a_kept_response_is_shown_cancelled_and_deleted_by_its_provider(
    pair: tuple[Gateway, Gateway], provider: Provider, cache: redis.Redis
) -> None:
    one, two = pair
    kept = ask(one, "responses", "of-responses/m", input="to be shown").json()["id"]
    provider.clear()

    shown = two.ask("GET", f"/v1/responses/{kept}?include=x")
    cancelled = two.ask("POST", f"/v1/responses/{kept}/cancel")
    deleted = two.ask("DELETE", f"/v1/responses/{kept}")
    unknown = two.ask("GET", "/v1/responses/resp_none")

    assert [answer.status_code for answer in (shown, cancelled, deleted, unknown)] == [200, 200, 200, 404]
    assert (shown.json()["id"], shown.json()["model"]) == (kept, "of-responses/m")
    assert deleted.json()["deleted"] is True
    assert [(request.method, request.path) for request in provider.requests] == [
        ("GET", f"/v1/responses/{kept}?include=x"),
        ("POST", f"/v1/responses/{kept}/cancel"),
        ("DELETE", f"/v1/responses/{kept}"),
    ]
    assert provider.requests[0].header("authorization") == "Bearer k-responses"
    assert 0 < cache.ttl(f"plano:response:t-one:{kept}") <= 600


def test_what_shows_an_answer_or_counts_tokens_is_no_answer_of_a_model(pair: tuple[Gateway, Gateway]) -> None:
    """It would make its model look fast, and be billed again."""
    web = pair[1]
    before = answered(web, "responses"), answered(web, "messages")
    kept = ask(web, "responses", "of-responses/m", input="counted once").json()["id"]

    shown = [web.ask("GET", f"/v1/responses/{kept}") for _ in range(3)]
    count = web.ask("POST", "/v1/messages/count_tokens", asking("messages", "of-messages/m"))
    ask(web, "messages", "of-messages/m")
    wait_until(lambda: answered(web, "messages") > before[1], what="the figures")

    assert [answer.status_code for answer in (*shown, count)] == [200] * 4
    assert (answered(web, "responses"), answered(web, "messages")) == (before[0] + 1, before[1] + 1)


def answered(web: Gateway, api: str) -> float:
    """How many answers of the API's model have been measured."""
    text = web.ask("GET", "/metrics").text
    found = re.search(rf'^plano_first_byte_seconds_count{{model="of-{api}/m"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_compaction_goes_to_the_sessions_model(pair: tuple[Gateway, Gateway], provider: Provider) -> None:
    answer = pair[0].ask("POST", "/v1/responses/compact", asking("responses", "of-responses/m"))
    other = pair[0].ask("POST", "/v1/responses/compact", asking("responses", "of-chat/m"))

    assert answer.json()["object"] == "response.compaction"
    assert provider.requests[-1].path == "/v1/responses/compact"
    assert other.status_code == 400


def test_counting_pins_nothing_and_asks_the_pinned_model(
    pair: tuple[Gateway, Gateway], provider: Provider, cache: redis.Redis, session: str
) -> None:
    web, key = pair[0], f"plano:affinity:t-one:{session}"
    asked = asking("messages", "of-chat/m")
    estimated = web.ask("POST", "/v1/messages/count_tokens", asked, x_model_affinity=session)
    assert not cache.exists(key)
    cache.set(key, json.dumps({"model_name": "of-messages/m", "route_name": None}), ex=600)

    counted = web.ask("POST", "/v1/messages/count_tokens", asked, x_model_affinity=session)

    assert estimated.headers["x-plano-estimated"] == "true"
    assert estimated.json()["input_tokens"] > 0
    assert "x-plano-estimated" not in counted.headers
    assert provider.requests[-1].path == "/v1/messages/count_tokens"


def test_embeddings_and_older_completions_are_passed_to_their_models_provider(
    pair: tuple[Gateway, Gateway], provider: Provider, cache: redis.Redis, session: str
) -> None:
    headers = {"X-Model-Affinity": session}
    with openai.OpenAI(base_url=pair[0].base_url, api_key="gw-one", max_retries=0) as client:
        vectors = client.embeddings.create(
            model="of-chat/m", input="text", encoding_format="float", extra_headers=headers
        )
        text = client.completions.create(model="of-chat/m", prompt="once", extra_headers=headers)

    assert vectors.data[0].embedding == [0.25, -0.5]
    assert vectors.model == "of-chat/m"
    assert text.choices[0].text == "m heard: once"
    assert [request.path for request in provider.requests] == ["/v1/embeddings", "/v1/completions"]
    assert not cache.exists(f"plano:affinity:t-one:{session}")


def test_each_request_is_counted_once_whichever_endpoint_it_asks(
    outside: Outside, redis_server: RedisServer, store: redis.Redis, tmp_path: Path
) -> None:
    """The one that fails is counted, too: there are never more errors than requests."""
    port = free_port()
    with running(Pool(tmp_path, config(outside), redis_server.url)) as pool, closing(Gateway(port)) as web:
        pool.web(port)
        kept = ask(web, "responses", "of-responses/m").json()["id"]
        answers = [
            ask(web, "responses", "of-responses/m", previous_response_id=kept),
            web.ask("GET", f"/v1/responses/{kept}"),
            web.ask("DELETE", f"/v1/responses/{kept}"),
            web.ask("POST", "/v1/messages/count_tokens", asking("messages", "of-messages/m")),
            web.ask("POST", "/v1/messages/count_tokens", asking("messages", "of-chat/m")),  # estimated
            web.ask("POST", "/v1/embeddings", json.dumps({"model": "of-chat/m", "input": "x"}).encode()),
            web.ask("POST", "/v1/completions", json.dumps({"model": "of-chat/m", "prompt": "x"}).encode()),
            web.ask("POST", "/routing/v1/chat/completions", asking("chat", "of-chat/m")),
            ask(web, "chat", "of-chat/m"),
            ask(web, "chat", "of-chat/failing"),
        ]
    minutes = [store.hgetall(key) for key in store.scan_iter("plano:stats:*")]  # it has handed over what it counted

    assert [answer.ok for answer in answers] == [True] * 9 + [False]
    assert sum(int(minute.get(b"requests", 0)) for minute in minutes) == 11
    assert sum(int(minute.get(b"errors", 0)) for minute in minutes) == 1
