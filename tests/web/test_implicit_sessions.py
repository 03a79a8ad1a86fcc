"""A request without an id has a session by how its conversation began; and what a client may want of its pin."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running
from tests.web import sites
from tests.web.gateway import CHAT, REVIEW, WRITE, Gateway, Outside, Webs, body, error_of

TOOL = {"type": "function", "function": {"name": "grep", "parameters": {"type": "object"}}}
REVIEWER, WRITER = "openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514"


@pytest.fixture(scope="module")
def web(
    outside: Outside, server: RedisServer, webs: Webs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Another web process at the pool's Redis; the pool's worker decides for it, too."""
    del webs
    with running(Pool(tmp_path_factory.mktemp("implicit"), sites.implicit(outside), server.url)) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            gateway.headers = {sites.TENANT_HEADER: "acme"}
            yield gateway


def said(*texts: str) -> list[dict[str, Any]]:
    """A conversation whose turns alternate."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def implicit_pins(cache: redis.Redis) -> set[bytes]:
    return set(cache.scan_iter("plano:affinity:acme:implicit.*"))


def model_of(answer: requests.Response) -> tuple[str, bool]:
    assert answer.ok, answer.text
    return answer.headers["x-plano-model"], answer.headers.get("x-plano-pinned") == "true"


def test_a_conversation_with_tools_stays_on_its_model_without_an_id(web: Gateway, session: str) -> None:
    opener = f"{REVIEW} {session}"

    first = web.chat(opener, tools=[TOOL])
    later = web.chat(messages=said(opener, "done", WRITE), tools=[TOOL])

    assert first.headers["x-plano-session"] == later.headers["x-plano-session"] == "implicit"
    assert (model_of(first), model_of(later)) == ((REVIEWER, False), (REVIEWER, True))


def test_without_tools_it_begins_with_the_second_turn(web: Gateway, session: str) -> None:
    opener = f"{REVIEW} {session}"

    first = web.chat(opener)
    second, third = (web.chat(messages=said(opener, "done", text)) for text in (REVIEW, WRITE))

    assert "x-plano-session" not in first.headers
    assert (model_of(second), model_of(third)) == ((REVIEWER, False), (REVIEWER, True))


def test_the_same_opener_in_other_hands_is_another_session(web: Gateway, session: str) -> None:
    opener = f"{REVIEW} {session}"
    asked: dict[str, Any] = {"messages": said(opener, "done", WRITE), "tools": [TOOL]}
    web.chat(opener, tools=[TOOL])

    tenant = web.ask("POST", CHAT, body(**asked), x_tenant_id="other")
    model = web.chat(**asked, model="openai/gpt-5.2")
    tools = web.chat(**{**asked, "tools": [TOOL, {**TOOL, "function": {"name": "sed"}}]})
    system = web.chat(**{**asked, "messages": [{"role": "system", "content": "be brief"}, *asked["messages"]]})

    assert [model_of(answer) for answer in (tenant, model, tools, system)] == [(WRITER, False)] * 4
    assert model_of(web.chat(**asked)) == (REVIEWER, True)


def test_the_opener_is_nowhere_in_redis_and_the_pin_lives_as_long_as_a_cache(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    before = implicit_pins(cache)

    web.chat(f"{REVIEW} {session}", tools=[TOOL])

    (key,) = implicit_pins(cache) - before
    assert 0 < cache.ttl(key) <= 300
    assert json.loads(cache.get(key) or b"")["ttl_s"] == 300
    everything = [(name, cache.get(name)) for name in cache.scan_iter("plano:affinity:*")]
    assert session not in str(everything)


def test_an_implicit_pin_is_renewed_by_use(web: Gateway, cache: redis.Redis, session: str) -> None:
    before = implicit_pins(cache)
    web.chat(f"{REVIEW} {session}", tools=[TOOL])
    (key,) = implicit_pins(cache) - before
    cache.expire(key, 20)

    web.chat(f"{REVIEW} {session}", tools=[TOOL])

    assert cache.ttl(key) > 200


def test_a_cache_that_is_asked_to_live_longer_lengthens_the_pin(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    before = implicit_pins(cache)
    web.chat(f"{REVIEW} {session}", tools=[TOOL])
    (key,) = implicit_pins(cache) - before

    answer = web.chat(f"{REVIEW} {session}", tools=[TOOL], prompt_cache_retention="24h")

    assert model_of(answer) == (REVIEWER, True)
    assert cache.ttl(key) > 80_000


def test_a_named_session_lives_as_long_as_its_models_cache_where_that_is_the_mode(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    web.chat(REVIEW, session)
    web.chat(REVIEW, f"{session}-long", prompt_cache_retention="24h")
    key = f"plano:affinity:acme:{session}"
    first = cache.ttl(key)
    cache.expire(key, 9)

    again = web.chat(WRITE, session)

    assert 0 < first <= 300
    assert model_of(again) == (REVIEWER, True)
    assert 200 < cache.ttl(key) <= 300
    assert 86_000 < cache.ttl(f"{key}-long") <= 86_400


def test_a_session_that_moves_to_another_provider_lives_by_that_ones_cache(
    web: Gateway, outside: Outside, cache: redis.Redis, session: str
) -> None:
    models = ["openai/gpt-5.2", WRITER]
    route = {"name": "r", "description": "review this analysis", "models": models}
    asked: dict[str, Any] = {"routing_preferences": [route], "prompt_cache_retention": "24h"}
    key = f"plano:affinity:acme:{session}"
    web.chat(REVIEW, session, **asked)
    before = cache.ttl(key)
    outside.provider.behave("status", code=503, model="gpt-5.2")

    moved = web.chat(REVIEW, session, **asked)

    assert model_of(moved) == (WRITER, False)
    assert before > 80_000
    assert 0 < cache.ttl(key) <= 300


def test_an_id_comes_before_the_opener(web: Gateway, session: str) -> None:
    opener = f"{REVIEW} {session}"
    web.chat(opener, tools=[TOOL])

    answer = web.chat(messages=said(opener, "done", WRITE), tools=[TOOL], session=session)

    assert (answer.headers["x-plano-session"], model_of(answer)) == ("header", (WRITER, False))


def test_the_other_apis_have_openers_too(web: Gateway, session: str) -> None:
    opener = f"{REVIEW} {session}"
    tool = {"name": "grep", "input_schema": {"type": "object"}}
    messages: dict[str, Any] = {"model": "openai/gpt-4o-mini", "max_tokens": 9, "system": "be brief", "tools": [tool]}
    responses: dict[str, Any] = {"model": "openai/gpt-4o-mini", "instructions": "be short", "store": False}
    goes_on: list[Any] = [
        {"role": "user", "content": opener},
        {"type": "function_call_output", "call_id": "a", "output": "b"},
    ]
    call = {"type": "function_call", "call_id": "a", "name": "grep", "arguments": "{}"}

    sources = [
        web.ask("POST", path, json.dumps(asked).encode()).headers.get("x-plano-session")
        for path, asked in (
            ("/v1/messages", {**messages, "messages": said(opener)}),
            ("/v1/responses", {**responses, "input": opener}),
            ("/v1/responses", {**responses, "input": [goes_on[0], call, goes_on[1]]}),
        )
    ]

    assert sources == ["implicit", None, "implicit"]


def test_off_is_no_session_of_any_kind(web: Gateway, session: str) -> None:
    web.chat(REVIEW, session)

    named = web.ask("POST", CHAT, body(WRITE), x_model_affinity=session, x_plano_affinity="off")
    opener = web.ask("POST", CHAT, body(WRITE, tools=[TOOL]), x_plano_affinity="OFF")

    assert [model_of(answer) for answer in (named, opener)] == [(WRITER, False)] * 2
    assert not any("x-plano-session" in answer.headers for answer in (named, opener))
    assert model_of(web.chat(WRITE, session)) == (REVIEWER, True)


def test_new_decides_anew_and_pins_again(web: Gateway, router: Router, session: str) -> None:
    web.chat(REVIEW, session)

    anew = web.ask("POST", CHAT, body(WRITE), x_model_affinity=session, x_plano_affinity="new")
    same = web.ask("POST", CHAT, body(WRITE), x_model_affinity=session, x_plano_affinity="new")
    later = web.chat(REVIEW, session)

    assert [model_of(answer) for answer in (anew, same, later)] == [(WRITER, False), (WRITER, False), (WRITER, True)]
    assert [answer.headers.get("x-plano-redecided") for answer in (anew, same, later)] == ["asked", "asked", None]
    assert router.calls == 3


def test_new_keeps_the_pin_while_nobody_can_decide(web: Gateway, router: Router, session: str) -> None:
    web.chat(REVIEW, session)
    router.answer = "no JSON at all"

    answer = web.ask("POST", CHAT, body(WRITE), x_model_affinity=session, x_plano_affinity="new")

    assert model_of(answer) == (REVIEWER, True)


def test_another_wish_is_refused(web: Gateway) -> None:
    answer = web.ask("POST", CHAT, body(), x_plano_affinity="newest")

    assert answer.status_code == 400
    assert error_of(answer)["message"] == "X-Plano-Affinity is 'newest'; it is off or new"


def test_where_it_is_not_switched_on_nothing_is_implicit(webs: Webs) -> None:
    assert "x-plano-session" not in webs.usual.chat(REVIEW, tools=[TOOL]).headers
