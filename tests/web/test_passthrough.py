"""Providers that are sent the client's own credential: who gets it, and whom its failures concern."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web.gateway import CHAT, Gateway, Outside, body, error_of

CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%(provider)d/v1", access_key: sk-openai, default: true}
  - {model: "house/*", base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai,
     passthrough_auth: true}
  - {model: guest/c, base_url: "http://127.0.0.1:%(other)d/v1", provider_interface: openai, passthrough_auth: true}
routing_preferences:
  - {name: mixed, description: mixed, models: [house/a, guest/c, openai/gpt-4o-mini]}
  - {name: house, description: house, models: [house/a, house/b]}
  - {name: mixed-keyed, description: mixed, models: [house/k, guest/c, openai/gpt-4o-mini]}
  - {name: mixed-free, description: mixed, models: [house/f, guest/c, openai/gpt-4o-mini]}
  - {name: failing, description: house, models: [house/x, house/b]}
"""
"""A model that fails for all belongs to one test: other tests would find it sitting out."""
WITH_KEYS = """
auth: {keys: [{name: one, key: gw-one}, {name: two, key: gw-two}]}
"""
OURS = "Bearer gw-one"
THEIRS = "Bearer sk-of-the-client"


@pytest.fixture(scope="module")
def pools(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Gateway]]:
    config = CONFIG % {"provider": outside.provider.port, "other": outside.other.port}
    ports = free_port(), free_port()
    keyed, free = (
        Pool(tmp_path_factory.mktemp(name), text, server.url)
        for name, text in (("keyed", config + WITH_KEYS), ("free", config))
    )
    with running(keyed), running(free), closing(Gateway(ports[0])) as first, closing(Gateway(ports[1])) as second:
        keyed.web(ports[0])
        free.web(ports[1])
        yield first, second


@pytest.fixture
def keyed(pools: tuple[Gateway, Gateway]) -> Gateway:
    return pools[0]


@pytest.fixture
def free(pools: tuple[Gateway, Gateway]) -> Gateway:
    return pools[1]


def pin(cache: redis.Redis, session: str, model: str = "house/a", route: str | None = None) -> None:
    """No worker runs here: only pinned sessions are served at once."""
    cache.set(f"plano:affinity:{session}", json.dumps({"model_name": model, "route_name": route}), ex=600)


def ask(
    gateway: Gateway, session: str, *, credential: str | None = THEIRS, model: str = "house/a", ours: str = OURS
) -> requests.Response:
    own = {} if credential is None else {"x_provider_authorization": credential}
    return gateway.ask("POST", CHAT, body(model=model), authorization=ours, x_model_affinity=session, **own)


def credentials(provider: Provider) -> list[tuple[str | None, str | None]]:
    return [(request.model, request.header("authorization")) for request in provider.requests]


def test_the_gateways_own_key_is_never_passed_on(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    pin(cache, session)

    ask(keyed, session, credential=None)
    ask(keyed, session, credential=THEIRS)

    assert credentials(provider) == [("a", None), ("a", THEIRS)]
    assert not any("gw-one" in str(request.headers) for request in provider.requests)
    assert all(request.header("x-provider-authorization") is None for request in provider.requests)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_nor_is_one_that_comes_as_x_api_key(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str, path: str
) -> None:
    """As clients of the Messages API send it. Without keys of the gateway's it would be the provider's."""
    pin(cache, session)

    answer = keyed.ask(
        "POST", path, body(model="house/a", max_tokens=9), x_api_key="gw-one", x_model_affinity=session
    )

    assert answer.status_code == 200
    assert credentials(provider) == [("a", None)]
    assert not any("gw-one" in str(request.headers) for request in provider.requests)


@pytest.mark.parametrize("mistaken", [OURS, "gw-two", "Bearer gw-two", "bearer  gw-one "])
def test_not_even_when_the_client_sends_it_for_the_provider(
    keyed: Gateway, provider: Provider, session: str, mistaken: str
) -> None:
    answer = ask(keyed, session, credential=mistaken)

    assert answer.status_code == 400
    assert error_of(answer)["param"] == "x-provider-authorization"
    assert provider.calls == 0


def test_without_keys_the_clients_authorization_is_its_own(
    free: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    pin(cache, session)

    ask(free, session, credential=None, ours=THEIRS)
    ask(free, session, credential=THEIRS, ours="Bearer unused")

    assert credentials(provider) == [("a", THEIRS), ("a", THEIRS)]


@pytest.mark.parametrize("name", ["keyed", "free"])
def test_on_failover_a_credential_reaches_no_other_provider(
    request: pytest.FixtureRequest, outside: Outside, provider: Provider, cache: redis.Redis, session: str, name: str
) -> None:
    gateway = request.getfixturevalue(name)
    pin(cache, session, f"house/{name[0]}", f"mixed-{name}")
    provider.behave("status", model=name[0], code=503)

    answer = ask(gateway, session, ours=OURS if name == "keyed" else THEIRS)

    assert answer.headers["x-plano-model"] == "openai/gpt-4o-mini"
    assert credentials(provider) == [(name[0], THEIRS), ("gpt-4o-mini", "Bearer sk-openai")]
    assert outside.other.calls == 0


def test_a_candidate_of_the_same_provider_takes_the_same_credential(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    pin(cache, session, "house/x", "failing")
    provider.behave("status", model="x", code=503)

    answer = ask(keyed, session)

    assert answer.headers["x-plano-model"] == "house/b"
    assert credentials(provider) == [("x", THEIRS), ("b", THEIRS)]


@pytest.mark.parametrize(("model", "credential"), [("house/a", None), ("guest/c", THEIRS), ("gpt-4o-mini", THEIRS)])
def test_a_candidate_without_its_credential_is_skipped(
    keyed: Gateway,
    outside: Outside,
    provider: Provider,
    cache: redis.Redis,
    session: str,
    model: str,
    credential: str,
) -> None:
    """The credential is for the provider of the model that the request names."""
    pin(cache, session, "house/a", "mixed")

    answer = ask(keyed, session, credential=credential, model=model)

    assert answer.headers["x-plano-fallback"].startswith("house/a;credential")
    assert "a" not in [request.model for request in provider.requests]
    assert all(found == ("c", THEIRS) for found in credentials(outside.other))
    assert not cache.exists("plano:cooldown:house/a")


def test_not_even_the_only_candidate_gets_a_credential_that_is_for_another(
    keyed: Gateway, outside: Outside, provider: Provider, cache: redis.Redis, session: str
) -> None:
    """It is asked all the same, and says itself what is missing."""
    pin(cache, session, "guest/c")

    answer = ask(keyed, session, model="house/a")

    assert answer.headers["x-plano-model"] == "guest/c"
    assert credentials(outside.other) == [("c", None)]
    assert provider.calls == 0


@pytest.mark.parametrize("code", [401, 403, 429])
def test_what_fails_under_a_clients_credential_is_that_clients_own_affair(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str, code: int
) -> None:
    """One client that had used up its quota made the model sit out for all."""
    pin(cache, session, "house/a", "house")
    pin(cache, f"{session}-other", "house/a", "house")
    provider.behave("status", model="a", code=code, headers={"retry-after": "60"}, times=1)

    refused = ask(keyed, session)
    other = ask(keyed, f"{session}-other", credential="Bearer sk-of-another")

    assert (refused.status_code, refused.headers["x-plano-model"]) == (
        (200, "house/b") if code == 429 else (code, "house/a")
    )
    assert other.headers["x-plano-model"] == "house/a"
    assert not cache.exists("plano:cooldown:house/a", "plano:failures:house/a")


def test_nor_is_it_when_it_happens_to_two_of_them(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    """Under the operator's key the second one would make the model sit out."""
    for n in range(3):
        pin(cache, f"{session}{n}", "house/a", "house")
    provider.behave("status", model="a", code=429, headers={"retry-after": "60"}, times=2)

    moved = [ask(keyed, f"{session}{n}", credential=f"Bearer sk-{n}").headers["x-plano-model"] for n in range(2)]
    other = ask(keyed, f"{session}2")

    assert moved == ["house/b", "house/b"]
    assert other.headers["x-plano-model"] == "house/a"
    assert not cache.exists("plano:cooldown:house/a", "plano:failures:house/a")


def test_what_fails_under_the_operators_key_makes_the_model_sit_out(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    """The test above can fail."""
    provider.behave("status", model="gpt-4o-mini", code=429, headers={"retry-after": "60"}, times=2)

    for n in range(2):
        pin(cache, f"{session}{n}", "openai/gpt-4o-mini", "mixed")
        ask(keyed, f"{session}{n}", model="gpt-4o-mini")

    wait_until(lambda: cache.exists("plano:failures:openai/gpt-4o-mini"), what="the record of the failure")


@pytest.mark.parametrize("name", ["openai-organization", "openai-project"])
def test_whose_account_is_used_is_said_beside_the_clients_own_credential_only(
    keyed: Gateway, provider: Provider, cache: redis.Redis, session: str, name: str
) -> None:
    """Under the operator's key a client could have spent from another of its projects."""
    for model in ("house/a", "openai/gpt-4o-mini"):
        pin(cache, f"{session}{model}", model)

    for model, credential in (("house/a", THEIRS), ("openai/gpt-4o-mini", THEIRS), ("house/a", "")):
        keyed.ask(
            "POST",
            CHAT,
            body(model=model),
            authorization=OURS,
            x_provider_authorization=credential,
            x_model_affinity=f"{session}{model}",
            **{name: "mine"},
        )

    assert [request.header(name) for request in provider.requests] == ["mine", None, None]
