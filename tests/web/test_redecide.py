"""A session is decided anew when that costs nothing: its prompt cache has ended, or its context was compacted."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running
from tests.web import sites
from tests.web.gateway import CHAT, REVIEW, WRITE, Gateway, Outside, Webs, body

REVIEWER, WRITER = "openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514"
CALL = {"id": "c", "type": "function", "function": {"name": "grep", "arguments": "{}"}}
IN_A_LOOP = [
    {"role": "user", "content": WRITE},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": WRITE},
]
BOUND = [
    {"role": "user", "content": WRITE},
    {"role": "assistant", "content": "so", "extra_content": {"google": {"thought_signature": "s"}}},
    {"role": "user", "content": WRITE},
]


@pytest.fixture(scope="module")
def web(
    outside: Outside, server: RedisServer, webs: Webs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Another web process at the pool's Redis; the pool's worker decides for it, too."""
    del webs
    with running(Pool(tmp_path_factory.mktemp("redecide"), sites.redecide(outside), server.url)) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway


def key(session: str) -> str:
    return f"plano:affinity:{session}"


def pin_of(cache: redis.Redis, session: str) -> dict[str, Any]:
    return dict(json.loads(cache.get(key(session)) or b""))


def age(cache: redis.Redis, session: str, seconds: int) -> None:
    """Have the pin's last use lie so long ago."""
    pin = pin_of(cache, session)
    assert time.time() - pin["used_at"] < 60
    cache.set(key(session), json.dumps({**pin, "used_at": pin["used_at"] - seconds}, separators=(",", ":")), ex=500)


def told(answer: requests.Response) -> tuple[str, str | None, bool]:
    assert answer.ok, answer.text
    headers = answer.headers
    return headers["x-plano-model"], headers.get("x-plano-redecided"), headers.get("x-plano-pinned") == "true"


def test_a_session_whose_cache_has_ended_is_decided_anew(web: Gateway, cache: redis.Redis, session: str) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 301)

    anew, after = web.chat(WRITE, session), web.chat(REVIEW, session)

    assert told(anew) == (WRITER, "cold", False)
    assert told(after) == (WRITER, None, True)
    assert cache.ttl(key(session)) > 500


def test_while_its_cache_is_warm_it_stays_and_each_use_warms_it(
    web: Gateway, cache: redis.Redis, session: str
) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 290)

    answer = web.chat(WRITE, session)

    assert told(answer) == (REVIEWER, None, True)
    assert time.time() - pin_of(cache, session)["used_at"] < 60


def test_a_cache_that_lives_longer_is_warm_for_longer(web: Gateway, cache: redis.Redis, session: str) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 1000)

    assert told(web.chat(WRITE, session, prompt_cache_retention="24h")) == (REVIEWER, None, True)


@pytest.mark.parametrize("messages", [IN_A_LOOP, BOUND], ids=["tool loop", "bound"])
def test_neither_in_a_tool_loop_nor_when_bound(
    web: Gateway, cache: redis.Redis, router: Router, session: str, messages: list[dict[str, Any]]
) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 1000)

    answer = web.chat(messages=messages, session=session)

    assert told(answer) == (REVIEWER, None, True)
    assert router.calls == 1


def test_a_compacted_context_is_decided_anew(web: Gateway, session: str) -> None:
    """Claude Code says so once; Codex counts its windows."""
    claude = {"x_claude_code_session_id": session}
    codex = {"session_id": f"{session}-2", "x_codex_window_id": f"{session}:0"}
    compacted = {**claude, "x_claude_code_context_compacted": "true"}
    for headers in (claude, codex):
        web.ask("POST", CHAT, body(REVIEW), **headers)

    same = web.ask("POST", CHAT, body(WRITE), **codex)
    anew = [
        web.ask("POST", CHAT, body(WRITE), **headers)
        for headers in (compacted, {**codex, "x_codex_window_id": f"{session}:1"})
    ]
    after = [
        web.ask("POST", CHAT, body(REVIEW), **headers)
        for headers in (claude, {**codex, "x_codex_window_id": f"{session}:1"})
    ]

    assert told(same) == (REVIEWER, None, True)
    assert [told(answer) for answer in anew] == [(WRITER, "compacted", False)] * 2
    assert [told(answer) for answer in after] == [(WRITER, None, True)] * 2


def test_of_many_requests_at_once_one_is_decided_anew(
    web: Gateway, cache: redis.Redis, router: Router, session: str
) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 1000)

    def ask(_: int) -> requests.Response:
        with closing(Gateway(web.port)) as client:
            return client.chat(WRITE, session)

    with ThreadPoolExecutor(8) as clients:
        answers = [told(answer) for answer in clients.map(ask, range(8))]

    assert answers.count((WRITER, "cold", False)) == 1
    assert {answer[1:] for answer in answers} == {("cold", False), (None, True)}
    assert router.calls == 2
    assert told(web.chat(REVIEW, session)) == (WRITER, None, True)


def test_while_nobody_can_decide_the_pin_does(web: Gateway, cache: redis.Redis, router: Router, session: str) -> None:
    web.chat(REVIEW, session)
    age(cache, session, 1000)
    router.answer = "no JSON at all"

    assert told(web.chat(WRITE, session)) == (REVIEWER, None, True)


def test_where_it_is_not_switched_on_pins_say_nothing_of_their_use(
    webs: Webs, cache: redis.Redis, session: str
) -> None:
    webs.usual.chat(REVIEW, session)

    assert pin_of(cache, session) == {"model_name": REVIEWER, "route_name": "deep_reasoning"}
