"""A provider's whole answer reaches the client as it is, but for the model's name."""

import time
from email.utils import parsedate_to_datetime

import pytest

from tests.fakes.provider import Provider
from tests.fakes.speech import KEPT, ODD
from tests.web.gateway import REVIEW, Gateway, Webs, error_of


def test_fields_that_nobody_knows_survive_byte_for_byte(web: Gateway, session: str) -> None:
    first, pinned = web.chat(REVIEW, session), web.chat(REVIEW, session)

    for answer in (first, pinned):
        assert KEPT.partition(b": ")[2] in answer.content
        assert ODD.partition(b": ")[2] in answer.content
    names = list(first.json())
    assert names[:4] == ["id", "object", "created", "model"]
    assert list(pinned.json()) == [*names, "x_plano_pinned"]


def test_an_answer_without_usage_and_of_no_known_kind_is_passed_on(web: Gateway, provider: Provider) -> None:
    provider.behave("status", code=200, body=b'{"model":"m","choices":[],"x":1e2}')

    answer = web.chat()

    assert answer.content == b'{"model":"openai/gpt-4o-mini","choices":[],"x":1e2}'


def test_an_answer_has_the_second_in_which_it_was_given(web: Gateway) -> None:
    for _ in range(2):
        began = int(time.time())
        answer = web.chat()
        assert began <= parsedate_to_datetime(answer.headers["Date"]).timestamp() <= time.time()
        time.sleep(1)


@pytest.mark.parametrize("said", [b"[1, 2]", b"no JSON", b"", b'"text"', b'{"no": "model"', b'{"model": '])
def test_what_is_not_a_json_object_is_passed_on_untouched(web: Gateway, provider: Provider, said: bytes) -> None:
    provider.behave("status", code=200, body=said)

    answer = web.chat()

    assert (answer.status_code, answer.content) == (200, said)


def test_an_answer_that_names_no_model_is_given_none(web: Gateway, provider: Provider) -> None:
    provider.behave("status", code=200, body=b'{"object":"list"}')

    assert web.chat().content == b'{"object":"list"}'


def test_a_page_of_html_is_passed_on_untouched(web: Gateway, provider: Provider) -> None:
    provider.behave("not_json")

    answer = web.chat()

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.content.startswith(b"<!doctype html>")
    assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"


def test_a_providers_error_keeps_its_status_and_its_bytes(web: Gateway, provider: Provider, session: str) -> None:
    said = b'{ "error": {"message": "too long", "code": 17}, "model": "gpt-4o-mini" }\n'
    provider.behave("status", code=400, body=said, headers={"X-Ratelimit-Remaining": "3"})

    answer = web.chat(session=session)

    assert (answer.status_code, answer.content) == (400, said)
    assert answer.headers["x-ratelimit-remaining"] == "3"
    assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"
    assert answer.headers["x-request-id"]


def test_repeated_headers_are_kept_apart(web: Gateway, provider: Provider) -> None:
    """Fault 23 of the reference."""
    provider.behave("repeat_headers")

    headers = web.chat().raw.headers

    assert headers.getlist("x-repeat") == ["one", "two"]


def test_headers_of_one_connection_and_headers_of_ours_are_not_the_providers(
    web: Gateway, provider: Provider
) -> None:
    provider.behave(
        "status",
        code=200,
        body=b"{}",
        headers={
            "Server": "theirs",
            "Keep-Alive": "timeout=1",
            "X-Request-Id": "theirs",
            "X-Plano-Model": "theirs",
            "X-Plano-Pinned": "true",
            "X-Theirs": "kept",
            "X-Empty": "",
        },
    )

    headers = web.chat().raw.headers

    assert headers.getlist("server") == ["gunicorn"]
    assert "keep-alive" not in headers
    assert len(headers.getlist("x-request-id")) == 1
    assert headers["x-request-id"] != "theirs"
    assert headers.getlist("x-plano-model") == ["openai/gpt-4o-mini"]
    assert "x-plano-pinned" not in headers
    assert (headers["x-theirs"], headers["x-empty"]) == ("kept", "")


@pytest.mark.parametrize("kind", ["close", "half_body"])
def test_a_provider_that_breaks_off_is_unreachable(web: Gateway, provider: Provider, kind: str) -> None:
    provider.behave(kind)

    answer = web.chat()

    assert answer.status_code == 502
    assert error_of(answer)["code"] == "upstream_unreachable"
    assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"


def test_a_provider_that_closes_idle_connections_is_connected_to_anew(web: Gateway, provider: Provider) -> None:
    web.chat()
    provider.close()
    provider.start()

    answer = web.chat()

    assert answer.status_code == 200


def test_a_provider_that_is_down_is_unreachable(web: Gateway) -> None:
    answer = web.chat(model="down/model")

    assert answer.status_code == 502
    assert error_of(answer)["code"] == "upstream_unreachable"
    assert answer.headers["x-plano-model"] == "down/model"


def test_a_provider_that_stays_silent_has_its_time(webs: Webs, provider: Provider) -> None:
    provider.behave("hang")

    answer = webs.strict.chat(session="silent")

    assert answer.status_code == 504
    assert error_of(answer)["code"] == "upstream_timeout"
    assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"


def test_the_providers_own_name_of_the_model_may_stay(webs: Webs, session: str) -> None:
    """`routing.response_model: upstream`."""
    first, pinned = webs.strict.chat(REVIEW, session), webs.strict.chat(REVIEW, session)

    assert [answer.json()["model"] for answer in (first, pinned)] == ["gpt-5.2", "gpt-5.2"]
    assert [answer.headers["x-plano-model"] for answer in (first, pinned)] == ["openai/gpt-5.2"] * 2
    assert pinned.json()["x_plano_pinned"] is True
    assert KEPT in first.content
