"""What an operator does to sessions and models, as clients see it: drains, holds, and moves."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from click.testing import CliRunner

from shared.cli import main
from shared.domain.decisions import Decision
from shared.domain.pins import UNKNOWN_TURNS, Pin
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web import sites
from tests.web.gateway import CHAT, REVIEW, SMALL_TALK, WRITE, Gateway, Outside, Webs, body
from web.proxy.fallback_report import passed_over
from web.proxy.ways import readable

REVIEWER, OTHER, WRITER = "openai/gpt-5.2", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-20250514"
"""The first two are the candidates of one route, the third is alone in another."""
CALL = {"id": "c", "type": "function", "function": {"name": "grep", "arguments": "{}"}}
IN_A_LOOP = [
    {"role": "user", "content": REVIEW},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": REVIEW},
]
BOUND: list[dict[str, Any]] = [
    {"role": "user", "content": REVIEW},
    {"role": "assistant", "content": "so", "extra_content": {"google": {"thought_signature": "s"}}},
    {"role": "user", "content": REVIEW},
]
Plano = Callable[..., str]


@pytest.fixture
def plano(web: Gateway, server: RedisServer, outside: Outside, tmp_path: Path, cache: redis.Redis) -> Iterator[Plano]:
    """Runs a command on the pool; no model is drained afterwards."""
    path = tmp_path / "config.yaml"
    path.write_text(sites.usual(outside))

    def run(*arguments: str) -> str:
        done = CliRunner(env={"PLANO_CONFIG": str(path)}).invoke(main, [*arguments, "--redis-url", server.url])
        assert done.exit_code == 0, done.output
        return done.stdout

    yield run
    for key in cache.scan_iter("plano:drain:*"):
        cache.delete(key)
    wait_until(
        lambda: (
            first(web, None) == REVIEWER
            and all(first(web, probe(cache, model)) == model for model in (REVIEWER, OTHER, WRITER))
        ),
        what="the end of the drains, in the worker and in the web process",
    )


@pytest.fixture
def drained(web: Gateway, plano: Plano, cache: redis.Redis) -> Callable[..., None]:
    """Drains a candidate of the route for review; returns when the web process and the worker know of it."""

    def drain(model: str, *options: str) -> None:
        pinned = probe(cache, model)
        plano("drain", model, *options)
        wait_until(lambda: model not in {first(web, None), first(web, pinned)}, what="the drain")

    return drain


def probe(cache: redis.Redis, model: str) -> str:
    """A session that is pinned to a model."""
    session = f"probe-{uuid.uuid4().hex}"
    pin = {"model_name": model, "route_name": "deep_reasoning"}
    cache.set(f"plano:affinity:{session}", json.dumps(pin), ex=60)
    return session


def first(web: Gateway, session: str | None) -> str:
    """The model that a request for review goes to first."""
    return str(web.decide(REVIEW, session).json()["models"][0])


def told(answer: requests.Response) -> tuple[str, str | None, bool]:
    assert answer.ok, answer.text
    headers = answer.headers
    return headers["x-plano-model"], headers.get("x-plano-redecided"), headers.get("x-plano-pinned") == "true"


def model_of(cache: redis.Redis, session: str) -> str:
    return str(json.loads(cache.get(f"plano:affinity:{session}") or b"{}").get("model_name"))


def test_new_sessions_avoid_a_drained_model_and_its_own_move_without_the_router(
    web: Gateway, drained: Callable[..., None], router: Router, cache: redis.Redis, session: str
) -> None:
    before = web.chat(REVIEW, session)
    drained(REVIEWER)
    asked = router.calls

    moved, after = web.chat(WRITE, session), web.chat(REVIEW, session)
    calls = router.calls
    fresh = web.chat(REVIEW, f"{session}-2")

    assert [told(answer) for answer in (before, moved, after)] == [
        (REVIEWER, None, False), (OTHER, "drained", False), (OTHER, None, True),
    ]  # fmt: skip
    assert calls == asked
    assert told(fresh) == (OTHER, None, False)
    pin = json.loads(cache.get(f"plano:affinity:{session}") or b"")
    assert (pin["route_name"], pin["left"], pin["why"]) == ("deep_reasoning", REVIEWER, "drained")


@pytest.mark.parametrize("messages", [IN_A_LOOP, BOUND], ids=["tool loop", "bound"])
def test_a_session_that_would_lose_something_moves_at_a_later_turn_or_at_once(
    web: Gateway,
    drained: Callable[..., None],
    plano: Plano,
    session: str,
    messages: list[dict[str, Any]],
) -> None:
    web.chat(REVIEW, session)
    web.chat(REVIEW, f"{session}-2")
    drained(REVIEWER)

    stays, leaves = web.chat(messages=messages, session=session), web.chat(REVIEW, session)
    plano("drain", REVIEWER, "--now")
    wait_until(
        lambda: told(web.chat(messages=messages, session=f"{session}-2"))[0] == OTHER, what="the session's move"
    )

    assert told(stays) == (REVIEWER, None, True)
    assert told(leaves) == (OTHER, "drained", False)


def test_reasoning_that_the_next_model_cannot_read_is_left_out_and_the_timeline_says_so(
    web: Gateway, drained: Callable[..., None], plano: Plano, provider: Provider, session: str
) -> None:
    web.chat(REVIEW, session)
    drained(REVIEWER, "--now")

    answers = [web.chat(messages=BOUND, session=session) for _ in range(2)]

    assert [told(answer) for answer in answers] == [(OTHER, "drained", False), (OTHER, None, True)]
    assert [answer.headers.get("x-plano-dropped") for answer in answers] == ["reasoning", "reasoning"]
    assert all("extra_content" not in json.dumps(request.json) for request in provider.requests[-2:])
    wait_until(lambda: "it was sent no reasoning of other models" in plano("session", session), what="the event")


def test_who_asks_for_the_decision_alone_is_moved_too(
    web: Gateway, drained: Callable[..., None], session: str
) -> None:
    web.chat(REVIEW, session)
    drained(REVIEWER)

    first, second = web.decide(REVIEW, session).json(), web.decide(REVIEW, session).json()

    assert (first["models"][0], first["pinned"]) == (OTHER, False)
    assert (second["models"][0], second["pinned"]) == (OTHER, True)


def test_a_model_without_a_companion_serves_on(
    web: Gateway, plano: Plano, drained: Callable[..., None], session: str
) -> None:
    web.chat(WRITE, session)
    plano("drain", WRITER, "--now")
    drained(REVIEWER)  # by then both drains are known

    assert told(web.chat(WRITE, session)) == (WRITER, None, True)
    assert told(web.chat(WRITE, f"{session}-2")) == (WRITER, None, False)


def test_a_failed_request_goes_to_a_drained_model_last(
    web: Gateway, drained: Callable[..., None], provider: Provider, session: str
) -> None:
    drained(OTHER)
    web.chat(REVIEW, session)
    provider.behave("status", code=503, model="gpt-5.2")

    assert told(web.chat(REVIEW, session))[0] == OTHER


def test_a_session_that_is_held_stays_through_drains_and_failures(
    web: Gateway,
    drained: Callable[..., None],
    plano: Plano,
    provider: Provider,
    cache: redis.Redis,
    session: str,
) -> None:
    web.chat(REVIEW, session)
    plano("hold", session)
    drained(REVIEWER, "--now")

    stays = web.chat(REVIEW, session)
    anew = web.ask("POST", CHAT, body(WRITE), x_model_affinity=session, x_plano_affinity="new")
    provider.behave("status", code=503)
    fails = web.chat(REVIEW, session)
    provider.behave(None)
    plano("release", session)
    leaves = web.chat(REVIEW, session)

    assert told(stays) == (REVIEWER, None, True)
    assert told(anew) == (REVIEWER, None, True)
    assert (fails.status_code, fails.headers["x-plano-model"]) == (503, REVIEWER)
    assert told(leaves) == (OTHER, "drained", False)
    assert model_of(cache, session) == OTHER


def test_the_decision_of_a_held_session_names_no_other_model(web: Gateway, plano: Plano, session: str) -> None:
    """Whoever calls the model itself would fail over to it."""
    web.decide(REVIEW, session)
    plano("hold", session)

    assert web.decide(REVIEW, session).json()["models"] == [REVIEWER]


def test_a_session_that_an_operator_moves_is_served_there_from_its_next_request_on(
    web: Gateway, plano: Plano, provider: Provider, session: str
) -> None:
    """What the model before has signed is left out, then and later; what its own model signs stays in."""
    web.chat(REVIEW, session)
    plano("pin", session, OTHER)
    longer = [*BOUND, {**BOUND[1], "content": "own"}, BOUND[2]]

    first, second = web.chat(messages=BOUND, session=session), web.chat(messages=longer, session=session)
    sent = [json.dumps(request.json) for request in provider.requests[-2:]]

    assert [told(answer) for answer in (first, second)] == [(OTHER, None, True)] * 2
    assert [text.count("thought_signature") for text in sent] == [0, 1]


def test_the_timeline_of_a_session_tells_what_an_operator_has_done(
    web: Gateway, drained: Callable[..., None], plano: Plano, session: str
) -> None:
    web.chat(REVIEW, session)
    drained(REVIEWER)
    web.chat(REVIEW, session)
    plano("pin", session, REVIEWER, "--who", "ann", "--why", "it was better")
    plano("hold", session, "--who", "ann")
    web.chat(REVIEW, session)

    def told() -> Any:
        found = json.loads(plano("session", session, "--json"))
        return found if found["record"] and found["record"]["turns"] == 3 else None

    timeline = wait_until(told, what="the record of three turns")

    assert [event["words"] for event in timeline["events"]] == [
        f"was given {REVIEWER} by the route deep_reasoning",
        f"moved from {REVIEWER} to {OTHER}: {REVIEWER} was being drained",
        f"ann pinned it to {REVIEWER} in place of {OTHER}: it was better",
        f"ann held it at {REVIEWER}",
    ]
    assert (timeline["model"], timeline["held"], timeline["route"]) == (REVIEWER, True, "deep_reasoning")


def test_a_pinned_request_asks_redis_once_also_while_something_is_drained(
    web: Gateway, drained: Callable[..., None], cache: redis.Redis, session: str
) -> None:
    web.chat(WRITE, session)
    drained(REVIEWER)
    before = _calls(cache)

    for _ in range(50):
        assert told(web.chat(WRITE, session)) == (WRITER, None, True)

    assert _calls(cache) - before == 50


def _calls(cache: redis.Redis) -> int:
    """How often a string was read, which only pins are."""
    return int(cache.info("commandstats").get("cmdstat_get", {}).get("calls", 0))


@pytest.fixture(scope="module")
def falling_back(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A web process whose sessions may fall back on the default model."""
    config = sites.usual(outside).replace("routing:\n", "routing:\n  fallback_to_default: true\n", 1)
    with running(Pool(tmp_path_factory.mktemp("falling"), config, server.url)) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway


def test_a_session_without_a_route_falls_back_on_the_default_model(
    falling_back: Gateway, webs: Webs, drained: Callable[..., None], session: str
) -> None:
    del webs  # their worker decides

    def ask(name: str) -> requests.Response:
        return falling_back.chat(SMALL_TALK, name, model=REVIEWER)

    first = ask(session)
    drained(REVIEWER)
    wait_until(lambda: told(ask(session))[0] == OTHER, what="the session's move")
    fresh = ask(f"{session}-2")

    assert told(first) == (REVIEWER, None, False)
    assert told(fresh) == (OTHER, None, False)


def test_until_the_moved_session_was_counted_all_of_its_reasoning_is_left_out() -> None:
    """A request that finds the operator's pin only after its own decision has not counted its turns."""

    class Body:
        def without_reasoning(self, first: int | None = None) -> str:
            return "all" if first is None else f"the first {first}"

    asked: Any = Body()
    pins = [Pin(model_name=OTHER, route_name=None, foreign_turns=turns) for turns in (UNKNOWN_TURNS, 3)]

    sent: list[Any] = [readable(asked, Decision(models=(OTHER,), pin=pin), OTHER) for pin in pins]

    assert sent == ["all", "the first 3"]


def test_an_answer_says_why_each_candidate_before_its_own_was_passed_over() -> None:
    decision = Decision(models=("a", "b", "c", "d"))

    steps = passed_over(decision, "d", lacking={"a"}, cooling={"b"})

    assert steps == ["a;credential", "b;cooling", "c;drained"]
