"""The clients of the load test notice what goes wrong, and what they counted is what was there."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from tests.fakes.provider import Provider
from tests.fakes.wire import Answer, Request
from tests.harness import wait_until
from tests.system.load.client import converse
from tests.system.load.counts import Counts, count, examples
from tests.system.load.record import Plan, Turn
from tests.system.load.router import FickleRouter

TURN = Turn(session="s", number=0, took_ms=5, model="m")
LATER = replace(TURN, number=1, pinned=True)


class Gateway(Provider):
    """A provider that answers with the headers of a gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.models: Iterator[str] = itertools.repeat("m")
        """The model of each answer."""
        self.named: str | None = None
        """What x-plano-model says instead of the truth."""
        self.headers = {"x-plano-pinned": "true"}

    def respond(self, request: Request) -> Answer:
        """As its parent, in the name of the next model."""
        model = next(self.models)
        answer = super().respond(replace(request, json={**request.json, "model": model}))
        return answer.plus(("x-plano-model", self.named or f"openai/{model}"), *self.headers.items())


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        yield server


def counted(gateway: Gateway, *, sessions: int = 3, at_once: int = 1, turns: int = 2, give_up_s: float = 5) -> Counts:
    """What clients count that talk to it for one round."""
    plan = Plan(
        name="load-x",
        ports=[gateway.port],
        sessions=sessions,
        at_once=at_once,
        turns=turns,
        rounds=1,
        give_up_s=give_up_s,
    )
    return count(asyncio.run(converse(plan)))


def wrong(counts: Counts) -> dict[str, int]:
    """The counts that are not 0."""
    names = ("hung", "split", "degraded", "unpinned", "errors")
    return {name: value for name in names if (value := getattr(counts, name))}


def test_a_gateway_that_does_its_work_is_clean(gateway: Gateway) -> None:
    """On one connection for each client, plain and streamed."""
    counts = counted(gateway, sessions=5, turns=4)

    assert (counts.requests, wrong(counts), counts.clean) == (20, {}, True)
    assert gateway.calls == 20
    assert gateway.connections == 5


def test_sessions_that_change_their_model_between_turns_are_split(gateway: Gateway) -> None:
    gateway.models = itertools.cycle(["m", "n"])

    assert wrong(counted(gateway, sessions=1)) == {"split": 1}


def test_first_requests_that_are_answered_by_two_models_are_a_split_session(gateway: Gateway) -> None:
    gateway.models = itertools.cycle(["m", "n"])

    assert wrong(counted(gateway, sessions=1, at_once=6, turns=1)) == {"split": 1}


def test_later_turns_without_a_pin_are_unpinned(gateway: Gateway) -> None:
    gateway.headers = {}

    assert wrong(counted(gateway, sessions=3, turns=3)) == {"unpinned": 6}


def test_answers_of_a_gateway_that_lacks_something_are_degraded(gateway: Gateway) -> None:
    gateway.headers = {"x-plano-degraded": "queue"}

    assert wrong(counted(gateway, turns=1)) == {"degraded": 3}


def test_requests_that_hang_are_given_up_with_the_rest_of_their_session(gateway: Gateway) -> None:
    gateway.behave("hang", times=1)

    counts = counted(gateway, sessions=2, turns=10, give_up_s=2)

    assert (counts.requests, wrong(counts)) == (11, {"hung": 1})
    assert counts.max_ms >= 2000
    wait_until(lambda: not gateway.open, what="the end of the connection that hung")


@pytest.mark.parametrize("kind", ["status", "close", "half_body", "half_stream", "not_json"])
def test_answers_that_are_none_are_errors(gateway: Gateway, kind: str) -> None:
    """And the client goes on, on another connection."""
    gateway.behave(kind, times=1)

    counts = counted(gateway, turns=4)

    assert (counts.requests, wrong(counts)) == (12, {"errors": 1})


def test_an_answer_whose_header_names_another_model_is_an_error(gateway: Gateway) -> None:
    gateway.named = "openai/n"

    assert wrong(counted(gateway, sessions=1)) == {"errors": 2}


def test_an_answer_to_somebody_else_is_an_error(gateway: Gateway) -> None:
    gateway.behave("status", code=200, body={"choices": [{"message": {"content": "m heard: load-x-0-9 0.0"}}]})

    assert wrong(counted(gateway, turns=1)) == {"errors": 3}


def test_times_are_those_of_the_requests() -> None:
    counts = count([replace(TURN, took_ms=n) for n in range(1, 201)])

    assert (counts.p50_ms, counts.p99_ms, counts.max_ms) == (100, 198, 200)


def test_of_each_kind_some_examples_are_shown() -> None:
    hung = [replace(TURN, session=f"h{n}", model=None, hung=True) for n in range(100)]

    shown = examples([*hung, TURN, replace(LATER, model="n"), replace(LATER, degraded="redis")])

    assert len(shown) == 7
    assert shown[5:] == ["s was answered by m, n", "s turn 1: degraded, redis"]


def test_no_two_decisions_about_a_session_agree() -> None:
    """What the router model is asked, by whatever prompt, names the session."""
    with FickleRouter() as router:
        heard = [_decided(router, f"load-x-0-{n}") for n in (1, 2, 1, 2)]

    assert heard[0] != heard[2]
    assert heard[1] != heard[3]


def _decided(router: FickleRouter, session: str) -> str:
    prompt = f'<routes>[]</routes><conversation>[{{"role": "user", "content": "{session} 0.0"}}]</conversation>'
    body = {"model": "r", "messages": [{"role": "user", "content": prompt}]}
    answer = requests.post(f"{router.url}/chat/completions", json=body, timeout=5)
    return str(answer.json()["choices"][0]["message"]["content"])
