"""Whose fault a failure is: a model sits out and a session moves for the model's own faults only."""

import json
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psutil
import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.system.asking import DEEP

TIMEOUT_S = 6
CONFIG = """
version: v0.4.0
listeners: [{{type: model, name: egress, timeout: {timeout_s}s}}]
model_providers:
  - {{model: first/model, base_url: "{first}", provider_interface: openai}}
  - {{model: second/model, base_url: "{others}", provider_interface: openai}}
  - {{model: third/other, base_url: "{others}", provider_interface: openai}}
  - {{model: down/model, base_url: "http://127.0.0.1:{down}/v1", provider_interface: openai}}
  - {{model: lost/model, base_url: "http://{no_name}.example/v1", provider_interface: openai}}
routing_preferences:
  - {{name: deep, description: complex analysis, models: [first/model, second/model, third/other]}}
  - {{name: down, description: quick facts, models: [down/model, second/model]}}
  - {{name: lost, description: small talk, models: [lost/model, second/model]}}
"""
FIRST, SECOND = "first/model", "second/model"
NO_NAME = "x" * 70
"""Longer than a part of a name may be: looking it up fails at once, without a name server."""


@pytest.fixture(scope="module")
def first() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(scope="module")
def others() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    with server.client() as client:
        yield client
    server.stop()


@pytest.fixture(scope="module")
def web(
    first: Provider, others: Provider, cache: redis.Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, int]]:
    """A web process, and its port. The sessions of these tests have pins, so that no worker is needed."""
    text = CONFIG.format(first=first.url, others=others.url, down=free_port(), no_name=NO_NAME, timeout_s=TIMEOUT_S)
    url = f"unix://{cache.connection_pool.connection_kwargs['path']}"
    port = free_port()
    with running(Pool(tmp_path_factory.mktemp("web"), text, url)) as pool:
        yield pool.web(port), port


class Client:
    """Asks as sessions that were pinned some time ago, over one connection."""

    def __init__(self, port: int, cache: redis.Redis) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/chat/completions"
        self._cache = cache
        self._http = requests.Session()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, session: str, model: str = FIRST, route: str = "deep") -> requests.Response:
        """The answer; the session keeps its pin if it has one."""
        pin = json.dumps({"model_name": model, "route_name": route})
        self._cache.set(f"plano:affinity:{session}", pin, ex=60, nx=True)
        body = {"model": model, "messages": [{"role": "user", "content": DEEP}]}
        return self._http.post(self._url, json=body, headers={"X-Model-Affinity": session}, timeout=30)

    def pinned(self, session: str) -> str:
        """The model that a session's pin names."""
        return str(json.loads(self._cache.get(f"plano:affinity:{session}") or b"{}")["model_name"])

    @property
    def sitting_out(self) -> list[str]:
        """The models that sit out."""
        return sorted(key.decode().partition("cooldown:")[2] for key in self._cache.scan_iter("plano:cooldown:*"))


@pytest.fixture
def client(web: tuple[Process, int], cache: redis.Redis) -> Iterator[Client]:
    with closing(Client(web[1], cache)) as client:
        yield client


@pytest.fixture(autouse=True)
def at_ease(client: Client, cache: redis.Redis, first: Provider, others: Provider) -> Iterator[None]:
    """Providers behave again after each test, and the process has read that no model sits out."""
    yield
    first.behave(None)
    others.behave(None)
    cache.flushdb()
    wait_until(lambda: "x-plano-fallback" not in client.ask(str(uuid4())).headers, what="the end of the cooldowns")
    first.clear()
    others.clear()
    cache.flushdb()


def test_one_time_out_moves_its_session_and_nobody_else(client: Client, first: Provider) -> None:
    first.behave("hang")
    answer = client.ask("s")
    first.release()

    assert answer.headers["x-plano-fallback"] == f"{FIRST};timeout"
    assert "x-plano-pin" not in answer.headers
    assert client.pinned("s") == SECOND
    assert client.sitting_out == []


def test_one_request_that_fails_everywhere_is_itself_at_fault(
    client: Client, first: Provider, others: Provider
) -> None:
    """However many clients send such requests, no model sits out for those that do not."""
    for each in (first, others):
        each.behave("status", code=500)
    answers = [client.ask(f"s-{n}") for n in range(4)]

    assert {answer.status_code for answer in answers} == {500}
    assert {client.pinned(f"s-{n}") for n in range(4)} == {FIRST}
    assert client.sitting_out == []


def test_a_request_that_fails_twice_moves_nothing_when_the_third_candidate_answers(
    client: Client, first: Provider, others: Provider
) -> None:
    first.behave("status", code=500)
    others.behave("status", code=500, model="model")
    answers = [client.ask(f"s-{n}") for n in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-plano-model"] for answer in answers} == {"third/other"}
    assert {answer.headers["x-plano-pin"] for answer in answers} == {"kept"}
    assert client.pinned("s-0") == FIRST
    assert client.sitting_out == []


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_a_request_is_never_the_models_fault(
    client: Client, first: Provider, others: Provider, status: int
) -> None:
    first.behave("status", code=status)
    answers = [client.ask(f"s-{n}") for n in range(3)]

    assert {answer.status_code for answer in answers} == {status}
    assert others.calls == 0
    assert client.pinned("s-0") == FIRST
    assert client.sitting_out == []


def test_the_same_session_is_no_second_witness(client: Client, cache: redis.Redis, first: Provider) -> None:
    first.behave("status", code=500)
    client.ask("s")
    cache.delete("plano:affinity:s")
    client.ask("s")

    assert client.sitting_out == []
    client.ask("another")
    assert client.sitting_out == [FIRST]


def test_one_refused_connection_is_confirmed_and_enough(client: Client) -> None:
    answer = client.ask("s", "down/model", "down")

    assert answer.headers["x-plano-fallback"] == "down/model;unreachable"
    assert "x-plano-pin" not in answer.headers
    assert client.pinned("s") == SECOND
    assert client.sitting_out == ["down/model"]


def test_a_look_up_that_fails_is_this_replicas_trouble(client: Client) -> None:
    answers = [client.ask(f"s-{n}", "lost/model", "lost") for n in range(3)]

    assert {answer.headers["x-plano-fallback"] for answer in answers} == {"lost/model;unreachable"}
    assert {answer.headers["x-plano-pin"] for answer in answers} == {"kept"}
    assert client.pinned("s-0") == "lost/model"
    assert client.sitting_out == []


def test_a_process_without_files_blames_no_model(
    client: Client, web: tuple[Process, int], first: Provider, others: Provider
) -> None:
    client.ask("warm", SECOND)  # its connection stays, and so does the client's
    first.close()
    first.start()

    with _no_more_files(web[0].pid):
        answers = [client.ask(f"s-{n}") for n in range(3)]

    assert {answer.headers["x-plano-fallback"] for answer in answers} == {f"{FIRST};unreachable"}
    assert {answer.headers["x-plano-pin"] for answer in answers} == {"kept"}
    assert client.pinned("s-0") == FIRST
    assert client.sitting_out == []
    assert others.calls == 4
    assert client.ask("s-0").headers["x-plano-model"] == FIRST


@contextmanager
def _no_more_files(master: int) -> Iterator[None]:
    """The web process may open no further file."""
    (process,) = psutil.Process(master).children()
    usual = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, usual[1]))  # those that are open stay so
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, usual)
