"""Where only the user's turns are routed, no other turn asks the router."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running
from tests.web import sites
from tests.web.gateway import REVIEW, WRITE, Gateway, Outside, Webs

OWN, REVIEWER, WRITER = "openai/gpt-4o-mini", "openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514"
CALL = {"id": "c", "type": "function", "function": {"name": "grep", "arguments": "{}"}}
IN_A_LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": WRITE},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": WRITE},
]


@pytest.fixture(scope="module")
def web(
    outside: Outside, server: RedisServer, webs: Webs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Another web process at the pool's Redis; the pool's worker decides for it, too."""
    del webs
    with running(Pool(tmp_path_factory.mktemp("turns"), sites.user_turns(outside), server.url)) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway


def test_a_session_that_begins_with_another_turn_is_pinned_to_the_requests_own_model(
    web: Gateway, router: Router, session: str
) -> None:
    begun, after = web.chat(messages=IN_A_LOOP, session=session), web.chat(REVIEW, session)

    assert [answer.headers["x-plano-model"] for answer in (begun, after)] == [OWN, OWN]
    assert after.headers["x-plano-pinned"] == "true"
    assert router.calls == 0


def test_one_that_begins_with_the_users_is_routed(web: Gateway, router: Router, session: str) -> None:
    begun, loop = web.chat(REVIEW, session), web.chat(messages=IN_A_LOOP, session=session)

    assert [answer.headers["x-plano-model"] for answer in (begun, loop)] == [REVIEWER, REVIEWER]
    assert router.calls == 1


def test_without_a_session_too(web: Gateway, router: Router) -> None:
    users, tools = web.chat(WRITE), web.chat(messages=IN_A_LOOP)

    assert [answer.headers["x-plano-model"] for answer in (users, tools)] == [WRITER, OWN]
    assert router.calls == 1
