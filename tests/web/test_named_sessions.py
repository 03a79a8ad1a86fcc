"""Where clients name their sessions, as their requests were recorded."""

from collections.abc import Mapping

import pytest

from shared.domain.sessions import Session
from shared.errors import BadRequest
from shared.store import keys
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
