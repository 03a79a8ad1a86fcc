"""One process on its own answers as a pool does: no Redis, no worker."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests

from tests.fakes.router import Router
from tests.web.gateway import REVIEW, SMALL_TALK, WRITE, Gateway, Webs


@pytest.fixture
def alone(webs: Webs) -> Gateway:
    return webs.memory


def facts(answer: requests.Response) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but what differs from one to the next."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status_code, {**headers, "date": "", "x-request-id": ""}, answer.content


@pytest.mark.parametrize("text", [REVIEW, SMALL_TALK])
def test_chat_is_answered_as_by_a_pool(alone: Gateway, web: Gateway, session: str, text: str) -> None:
    """Each of them decides for itself: they share nothing."""
    of_one = [facts(alone.chat(said, session, stream=stream)) for said in (text, WRITE) for stream in (False, True)]
    of_many = [facts(web.chat(said, session, stream=stream)) for said in (text, WRITE) for stream in (False, True)]

    assert of_one == of_many
    assert [headers.get("x-plano-pinned") for _, headers, _ in of_one] == [None, "true", "true", "true"]


def test_decisions_are_as_those_of_a_pool(alone: Gateway, web: Gateway, session: str) -> None:
    of_one = [{**alone.decide(text, session).json(), "trace_id": ""} for text in (REVIEW, WRITE)]
    of_many = [{**web.decide(text, session).json(), "trace_id": ""} for text in (REVIEW, WRITE)]

    assert of_one == of_many
    assert [decision["pinned"] for decision in of_one] == [False, True]


def test_simultaneous_first_requests_are_one_decision_here_too(alone: Gateway, router: Router, session: str) -> None:
    router.delay = 0.1

    def ask(text: str) -> requests.Response:
        with closing(Gateway(alone.port)) as client:
            return client.chat(text, session)

    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(ask, [REVIEW, WRITE] * 3))

    assert len({answer.json()["model"] for answer in answers}) == 1
    assert router.calls == 1


def test_a_router_that_fails_degrades_here_too(alone: Gateway, router: Router, session: str) -> None:
    router.behave("close", times=1)

    first, second = alone.chat(REVIEW, session), alone.chat(REVIEW, session)

    assert (first.headers["x-plano-degraded"], first.json()["model"]) == ("router", "openai/gpt-4o-mini")
    assert second.headers["x-plano-model"] == "openai/gpt-5.2"


def test_it_is_ready_by_itself(alone: Gateway) -> None:
    answer = alone.ask("GET", "/readyz")

    assert answer.status_code == 200
    assert (answer.json()["redis"], answer.json()["workers"]) == ("memory", 1)
