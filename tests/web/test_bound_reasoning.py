"""Reasoning that only the model that made it can read: such a session stays, and loses it when it has to move."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
import requests

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.fakes.signing import Signing
from tests.harness import Pool, running
from tests.web.gateway import Gateway
from web.dialects import messages

CONFIG = """
version: v0.4.0
model_providers:
  - {{model: "anthropic/*", base_url: "{one}", access_key: a}}
  - {{model: "openai/*", base_url: "{other}", access_key: b}}
  - {{model: "gemini/*", base_url: "{one}", access_key: c}}
routing:
  router: {{url: "{router}"}}
  session_cache: {{type: memory}}
  on_failure: {on_failure}
"""
PATHS = {"messages": "/v1/messages", "responses": "/v1/responses", "chat": "/v1/chat/completions"}
CONVERSATION = {"messages": "messages", "responses": "input", "chat": "messages"}


@pytest.fixture(scope="module")
def one() -> Iterator[Signing]:
    with Signing() as provider:
        yield provider


@pytest.fixture(scope="module")
def other() -> Iterator[Signing]:
    with Signing() as provider:
        yield provider


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    with Router() as router:
        yield router


@pytest.fixture(scope="module", params=["move", "borrow", "strict"])
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    one: Signing,
    other: Signing,
    router: Router,
) -> Iterator[tuple[str, Gateway]]:
    """A process with each way to meet a failure."""
    config = CONFIG.format(one=one.url, other=other.url, router=router.url, on_failure=request.param)
    with running(Pool(tmp_path_factory.mktemp("bound"), config, "redis://127.0.0.1:1")) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield request.param, gateway


@pytest.fixture(autouse=True)
def at_ease(one: Signing, other: Signing, router: Router) -> Iterator[None]:
    yield
    for stand_in in (one, other, router):
        stand_in.behave(None)
        stand_in.clear()


class Talk:
    """A conversation that hands back whatever it was answered, and may go to the models that it names."""

    def __init__(self, gateway: Gateway, api: str, session: str, *models: str) -> None:
        self.turns: list[Any] = []
        self._gateway, self._api, self._session = gateway, api, session
        route = {"name": "review", "description": "review the code", "models": models}
        self._asked = {"model": models[0], "max_tokens": 99, "routing_preferences": [route]}
        if api == "responses":
            self._asked = {**self._asked, "store": False, "max_output_tokens": 99}
            del self._asked["max_tokens"]

    def say(self, **headers: str) -> requests.Response:
        self.turns.append({"role": "user", "content": "review the code"})
        asked = json.dumps({**self._asked, CONVERSATION[self._api]: self.turns}).encode()
        answer = self._gateway.ask("POST", PATHS[self._api], asked, x_model_affinity=self._session, **headers)
        if answer.ok:
            self.turns += _answered(answer.json())
        return answer


def _answered(said: dict[str, Any]) -> list[Any]:
    if "output" in said:
        return list(said["output"])
    return [said["choices"][0]["message"] if "choices" in said else {"role": "assistant", "content": said["content"]}]


def dropped(answer: requests.Response) -> str | None:
    return answer.headers.get("x-plano-dropped")


@pytest.mark.parametrize(
    ("api", "first", "then"),
    [
        ("messages", "anthropic/claude-a", "anthropic/claude-b"),
        ("messages", "anthropic/claude-a", "openai/gpt-b"),
        ("responses", "openai/gpt-a", "openai/gpt-b"),
        ("responses", "openai/gpt-a", "anthropic/claude-b"),
        ("chat", "gemini/gemini-a", "gemini/gemini-b"),
        ("chat", "gemini/gemini-a", "openai/gpt-b"),
    ],
)
def test_a_session_that_has_to_move_leaves_the_reasoning_behind(
    site: tuple[str, Gateway], one: Signing, other: Signing, session: str, api: str, first: str, then: str
) -> None:
    """Also where a failure is borrowed for: what the other model signs, the first one could not read."""
    on_failure, gateway = site
    talk = Talk(gateway, api, session, first, then)
    before = [talk.say(), talk.say()]

    failing = one if first.startswith(("anthropic", "gemini")) else other
    failing.behave("status", code=503, model=first.partition("/")[2])
    moving = talk.say()
    failing.behave(None)

    assert [answer.status_code for answer in before] == [200, 200], before[1].text
    assert [dropped(answer) for answer in before] == [None, None]
    if on_failure == "strict":
        assert (moving.status_code, dropped(moving)) == (503, None)
        return
    after = [talk.say(), talk.say()]
    assert [answer.status_code for answer in (moving, *after)] == [200] * 3, [moving.text, *(a.text for a in after)]
    assert [answer.headers["x-plano-model"] for answer in (moving, *after)] == [then] * 3
    assert [dropped(answer) for answer in (moving, *after)] == ["reasoning"] * 3
    seen = (one if then.startswith(("anthropic", "gemini")) else other).requests[-1].body
    assert failing.signature(first.partition("/")[2]).encode() not in seen


def test_a_bound_conversation_without_a_pin_goes_to_its_own_model(
    site: tuple[str, Gateway], router: Router, session: str
) -> None:
    """As when its pin has expired: the router might choose a model that cannot read it."""
    talk = Talk(site[1], "messages", session, "anthropic/claude-c", "anthropic/claude-d")
    talk.say()
    router.clear()

    late = Talk(site[1], "messages", f"{session}-late", "anthropic/claude-c", "anthropic/claude-d")
    late.turns = talk.turns
    answer = late.say()

    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, "anthropic/claude-c")
    assert dropped(answer) is None
    assert router.calls == 0


def test_a_client_that_wants_another_model_gets_it_without_the_reasoning(
    site: tuple[str, Gateway], session: str
) -> None:
    Talk(site[1], "messages", session, "anthropic/claude-c").say()
    talk = Talk(site[1], "messages", session, "anthropic/claude-c")
    talk.say()
    other = Talk(site[1], "messages", session, "anthropic/claude-d")
    other.turns = talk.turns

    answers = [other.say(x_plano_affinity="new"), other.say()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers["x-plano-model"] for answer in answers] == ["anthropic/claude-d"] * 2
    assert [dropped(answer) for answer in answers] == ["reasoning"] * 2


@pytest.mark.parametrize(
    ("reason", "unread"), [("model_binding_mismatch", True), ("prefix_binding_mismatch", False), (None, False)]
)
def test_a_provider_that_could_not_read_a_block_is_heard(reason: str | None, *, unread: bool) -> None:
    said = {"model": "m", "input_transformations": [{"path": "messages.1.content.0", "reason": reason}]}
    reader, stream = messages.reader("a/m", pinned=True), messages.reader("a/m", pinned=True)

    reader.whole(msgspec.json.encode(said))
    stream.line(b"data: " + msgspec.json.encode({"type": "message_start", "message": said}) + b"\n")

    assert (reader.unread, stream.unread) == (unread, unread)
