"""Where clients name their sessions, as their requests were recorded, and the pins that these get."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import redis

from shared.domain.sessions import Session
from shared.errors import BadRequest
from shared.store import keys
from tests.web.client_apis import PATHS, ask, asking, pins
from tests.web.gateway import Gateway
from web.dialects.fields.sessions import Named, Sources, named_session

UUID = "5f0c7c1e-2f7d-4f1e-9a55-3c1df0f3a001"
MODEL = "anthropic/claude-sonnet-4-5"
ALL = Sources()


def named(headers: Mapping[str, str], body: Mapping[str, str] | None = None, sources: Sources = ALL) -> Named | None:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return named_session(environ, lambda: body or {}, "team", MODEL, sources)


def lane_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    found = named(headers)
    assert found
    return found.session.lane


@pytest.mark.parametrize("name", ["x-model-affinity", "x-routing-session-id", "x-session-id"])
def test_the_gateways_own_headers_have_one_pin_whatever_model_is_asked_for(name: str) -> None:
    assert named({name: "s"}) == Named(Session("s", "team"), "header")


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        ({"x-claude-code-session-id": UUID}, "claude-code"),
        ({"session-id": UUID, "thread-id": UUID}, "codex"),
        ({"x-session-affinity": "ses_1", "x-session-id": "ses_1"}, "opencode"),
        ({"x-opencode-session": "ses_1"}, "opencode"),
        ({"x-litellm-session-id": "a"}, "litellm"),
        ({"x-litellm-trace-id": "a"}, "litellm"),
        ({"helicone-session-id": "a"}, "helicone"),
        ({"x-openwebui-chat-id": "a"}, "open-webui"),
        ({"baggage": "user=1, session.id=a%20b;ttl=5"}, "baggage"),
    ],
)
def test_agents_name_theirs_in_headers_of_their_own(headers: dict[str, str], source: str) -> None:
    found = named(headers)

    assert found
    assert found.source == source
    assert found.session.lane == (MODEL,)


def test_codexs_header_may_come_under_both_of_its_names() -> None:
    """WSGI joins them; two different ids are none."""
    found = named({"session-id": f"{UUID},{UUID}"})

    assert found
    assert found.session.id == UUID
    assert named({"session-id": f"{UUID}, other"}) is None


def test_a_session_of_baggage_is_read_as_it_was_written() -> None:
    found = named({"baggage": "user=1, session.id=a%20b;ttl=5"})

    assert found
    assert found.session.id == "a b"


@pytest.mark.parametrize("source", ["claude-code", "codex", "litellm", "prompt-cache-key", "responses"])
def test_what_the_body_says_counts_where_no_header_does(source: str) -> None:
    assert named({}, {source: UUID}) == Named(Session(UUID, "team", (MODEL,)), source)


def test_the_first_row_of_the_table_counts() -> None:
    found = named({"x-litellm-session-id": "other"}, {"claude-code": UUID})

    assert found
    assert (found.source, found.session.id) == ("claude-code", UUID)


def test_a_subagent_and_a_side_call_have_lanes_of_their_own() -> None:
    main = {"x-claude-code-session-id": UUID}

    assert lane_of(main) == lane_of({**main, "x-claude-code-request-class": "main"}) == (MODEL,)
    assert lane_of({**main, "x-claude-code-agent-id": "a1"}) == ("agent.a1", MODEL)
    assert lane_of({**main, "x-claude-code-request-class": "auxiliary"}) == ("class.auxiliary", MODEL)
    assert lane_of({"session-id": UUID, "thread-id": "other"}) == ("thread.other", MODEL)
    assert lane_of({"session-id": UUID, "x-openai-subagent": "review"}) == ("subagent.review", MODEL)


def test_an_agents_unusable_id_is_none_and_no_error() -> None:
    assert named({"x-claude-code-session-id": "x" * 257}) is None
    assert named({"x-claude-code-session-id": " "}, {"claude-code": "a\x00"}) is None

    with pytest.raises(BadRequest):
        named({"x-model-affinity": "x" * 257})


def test_a_strict_header_of_another_value_than_opencodes_stays_strict() -> None:
    found = named({"x-session-affinity": "ses_1", "x-session-id": "mine"})

    assert found
    assert found.source == "header"


def test_the_operator_may_turn_sources_off() -> None:
    headers = {"x-model-affinity": "s", "x-claude-code-session-id": UUID}

    assert named(headers, sources=Sources(headers=False)) == Named(Session(UUID, "team", (MODEL,)), "claude-code")
    assert named({"x-claude-code-session-id": UUID}, sources=Sources(agents=False)) is None
    assert named({}, {"codex": UUID}, Sources(body=False)) is None
    opencode = named({"x-session-affinity": "a", "x-session-id": "a"}, sources=Sources(agents=False))
    assert opencode == Named(Session("a", "team"), "header")


def test_lanes_stand_behind_the_session_in_its_key_and_never_look_like_another_session() -> None:
    lane = Session("s", "t", ("agent.1", MODEL))

    assert keys.affinity(lane) == f"plano:affinity:t:s~agent.1~{MODEL}"
    assert keys.affinity(Session("s~agent.1")) == "plano:affinity:s%7Eagent.1"


def test_a_session_of_claude_code_is_known_by_header_and_by_body(
    each_api: Gateway, cache: redis.Redis, session: str
) -> None:
    user_id = json.dumps({"device_id": "d", "session_id": session})
    by_header = each_api.ask(
        "POST", "/v1/messages", asking("messages", "of-chat/m"), x_claude_code_session_id=session
    )
    by_body = ask(each_api, "messages", "of-chat/m", metadata={"user_id": user_id})
    older = ask(each_api, "messages", "of-chat/m", metadata={"user_id": f"user_x_account__session_{session}"})

    answers = (by_header, by_body, older)
    assert [answer.headers["x-plano-session"] for answer in answers] == ["claude-code"] * 3
    assert [answer.headers.get("x-plano-pinned") for answer in answers] == [None, "true", "true"]
    assert pins(cache, session) == [f"plano:affinity:{session}~of-chat/m"]


def test_a_title_with_a_small_model_neither_makes_nor_moves_the_main_pin(
    each_api: Gateway, cache: redis.Redis, session: str
) -> None:
    for model in ("of-chat/small", "of-messages/m"):
        ask_it = asking("messages", model)
        each_api.ask("POST", "/v1/messages", ask_it, x_claude_code_session_id=session)

    assert pins(cache, session) == [
        f"plano:affinity:{session}~of-chat/small",
        f"plano:affinity:{session}~of-messages/m",
    ]


@pytest.mark.parametrize("user_id", ["{", '{"session_id": 7}', "plain", 7, None, "x_session_é"])
def test_a_broken_user_id_is_no_session_and_no_error(each_api: Gateway, user_id: Any) -> None:
    answer = ask(each_api, "messages", "of-messages/m", metadata={"user_id": user_id})

    assert answer.status_code == 200
    assert "x-plano-session" not in answer.headers


def test_codex_is_known_by_its_headers_and_by_its_body(each_api: Gateway, session: str) -> None:
    by_header = each_api.ask("POST", PATHS["responses"], asking("responses", "of-responses/m"), session_id=session)
    by_body = ask(each_api, "responses", "of-responses/m", client_metadata={"session_id": session})
    by_key = ask(each_api, "responses", "of-responses/m", prompt_cache_key=session)
    short = ask(each_api, "responses", "of-responses/m", prompt_cache_key="prompt-7")

    sources = [answer.headers.get("x-plano-session") for answer in (by_header, by_body, by_key, short)]
    assert sources == ["codex", "codex", "prompt-cache-key", None]
    assert by_body.headers["x-plano-pinned"] == "true"
