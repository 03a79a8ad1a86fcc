"""The decision alone, for clients that call the model themselves."""

import pytest

from tests.fakes.router import Router
from tests.web.gateway import DECISION, REVIEW, SMALL_TALK, WRITE, Gateway, Outside, body

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANDIDATES = ["openai/gpt-5.2", "openai/gpt-4o-mini"]


def test_a_decision_names_the_ranked_models_the_route_and_the_trace(web: Gateway, outside: Outside) -> None:
    answer = web.ask("POST", DECISION, body(REVIEW), traceparent=TRACEPARENT)

    assert list(answer.json().items()) == [
        ("models", CANDIDATES),
        ("route", "deep_reasoning"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("pinned", False),
    ]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-plano-model"] == "openai/gpt-5.2"
    assert answer.headers["x-plano-route"] == "deep_reasoning"
    assert "x-plano-pinned" not in answer.headers
    assert answer.headers["x-request-id"]
    assert [stand_in.calls for stand_in in outside.stand_ins] == [0, 0, 1]


def test_a_session_stands_before_the_pin(web: Gateway, session: str) -> None:
    answer = web.decide(REVIEW, session)

    assert list(answer.json()) == ["models", "route", "trace_id", "session_id", "pinned"]
    assert answer.json()["session_id"] == session


def test_a_pinned_decision_keeps_the_list_to_fall_back_on(web: Gateway, router: Router, session: str) -> None:
    """Fault 7 of the reference: it held the pinned model only."""
    web.decide(REVIEW, session)

    pinned = web.decide(WRITE, session)

    assert (pinned.json()["models"], pinned.json()["route"]) == (CANDIDATES, "deep_reasoning")
    assert pinned.json()["pinned"] is True
    assert pinned.headers["x-plano-pinned"] == "true"
    assert router.calls == 1


@pytest.mark.parametrize("sent", [b"none", b'{"model": "gpt-5.2"}', b'{"messages": []}'])
def test_a_pin_makes_no_bad_request_good(web: Gateway, session: str, sent: bytes) -> None:
    """Fault 7 of the reference: a pinned session could send anything."""
    web.decide(REVIEW, session)

    assert web.ask("POST", DECISION, sent, x_model_affinity=session).status_code == 400


@pytest.mark.parametrize("word", ['{"route": "other"}', '{"route": "none"}', '{"route": null}', "{'route': []}"])
def test_when_no_route_fits_the_requests_own_model_is_the_decision(
    web: Gateway, router: Router, session: str, word: str
) -> None:
    """Fault 3 of the reference: the word `none` was pinned as if it were a model."""
    router.answer = word

    first, second = web.decide(SMALL_TALK, session, model="clever"), web.decide(REVIEW, session)

    assert (first.json()["models"], first.json()["route"]) == (["openai/gpt-5.2"], None)
    assert (second.json()["models"], second.json()["route"]) == (["openai/gpt-5.2"], None)
    assert (first.json()["pinned"], second.json()["pinned"]) == (False, True)
    assert "x-plano-route" not in first.headers
    assert router.calls == 1


def test_decision_and_chat_share_the_pin(web: Gateway, session: str) -> None:
    decided = web.decide(REVIEW, session).json()

    answer = web.chat(WRITE, session)

    assert answer.json()["model"] == decided["models"][0]
    assert answer.headers["x-plano-pinned"] == "true"


def test_preferences_of_the_request_replace_those_of_the_config(web: Gateway, session: str) -> None:
    ours = {"name": "Prüfung", "description": "review", "models": ["gpt-4o-mini", "clever", "openai/gpt-4o-mini"]}

    answer = web.decide(REVIEW, session, routing_preferences=[{**ours, "selection_policy": None}])

    assert answer.json()["models"] == ["openai/gpt-4o-mini", "openai/gpt-5.2"]
    assert answer.json()["route"] == "Prüfung"
    assert answer.headers["x-plano-route"] == "Pr?fung"


def test_preferences_that_are_null_leave_the_config_in_place(web: Gateway) -> None:
    answer = web.ask("POST", DECISION, body(REVIEW)[:-1] + b', "routing_preferences": null}')

    assert answer.json()["route"] == "deep_reasoning"


def test_an_empty_list_of_preferences_means_no_routes(web: Gateway, router: Router, session: str) -> None:
    """As in the reference: the config's routes are not meant."""
    answer = web.decide(REVIEW, session, routing_preferences=[])

    assert (answer.json()["models"], answer.json()["route"]) == (["openai/gpt-4o-mini"], None)
    assert router.calls == 0


def test_a_conversation_is_routed_by_its_latest_turns(web: Gateway, router: Router) -> None:
    turns = [
        {"role": "system", "content": "never shown"},
        {"role": "user", "content": REVIEW},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": [{"type": "text", "text": WRITE}, {"type": "image_url", "image_url": {}}]},
    ]

    answer = web.decide(messages=turns)

    assert answer.json()["route"] == "code_generation"
    assert b"never shown" not in router.requests[0].body


def test_a_conversation_without_a_users_text_asks_no_router(web: Gateway, router: Router, session: str) -> None:
    answer = web.decide(session=session, messages=[{"role": "user", "content": [{"type": "input_audio"}]}])

    assert (answer.json()["models"], answer.json()["route"]) == (["openai/gpt-4o-mini"], None)
    assert router.calls == 0
