"""Providers that take a key of a session's prompt cache are sent one."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.config import load
from shared.domain.catalog import Catalog, Model, Provider
from shared.domain.sessions import Session
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider as StandIn
from tests.harness import Pool, running
from tests.web.gateway import CHAT, Gateway, body
from web.proxy.cache_keys import CacheKeys, shared_secret

CONFIG = """
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: "{url}", access_key: sk-openai, default: true}}
  - {{model: openai/told-nothing, base_url: "{url}", access_key: sk-openai, cache_key: off}}
  - {{model: openrouter/a, base_url: "{url}", access_key: sk-openrouter}}
  - {{model: xai/grok, base_url: "{url}", access_key: sk-xai}}
  - {{model: elon/grok, base_url: "{url}", provider_interface: xai}}
  - {{model: fireworks/a, base_url: "{url}", provider_interface: openai}}
  - {{model: cloudflare/a, base_url: "{url}", provider_interface: openai,
     headers: {{x-session-affinity: operators}}}}
  - {{model: groq/a, base_url: "{url}", access_key: sk-groq}}
  - {{model: house/a, base_url: "{url}", provider_interface: openai}}
routing: {{session_cache: {{type: memory, tenant_header: x-tenant}}}}
"""
FIELDS = ("prompt_cache_key", "session_id")
HEADERS = ("x-grok-conv-id", "x-session-affinity")


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="module")
def replicas(provider: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two that share nothing but the config file."""
    pools = [Pool(tmp_path_factory.mktemp("web"), CONFIG.format(url=provider.url), "redis://unused") for _ in "ab"]
    ports = [free_port(), free_port()]
    with running(pools[0]) as one, running(pools[1]) as other:
        one.web(ports[0])
        other.web(ports[1])
        with closing(Gateway(ports[0])) as first, closing(Gateway(ports[1])) as second:
            first.headers = second.headers = {"x-tenant": "acme"}
            yield first, second


def told(
    provider: StandIn, gateway: Gateway, model: str, session: str | None, *, fields: Any = None, **headers: str
) -> dict[str, str]:
    """Everything by which the provider could tell that requests belong together."""
    affinity = {"x_model_affinity": session} if session else {}
    answer = gateway.ask("POST", CHAT, body(model=model, **(fields or {})), **affinity, **headers)
    assert answer.status_code == 200
    asked = json.loads(provider.requests[-1].body)
    in_head = {name: provider.requests[-1].header(name) for name in HEADERS}
    return {
        **{name: asked[name] for name in FIELDS if name in asked},
        **{name: value for name, value in in_head.items() if value},
    }


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-4o-mini", "prompt_cache_key"),
        ("openrouter/a", "session_id"),
        ("xai/grok", "x-grok-conv-id"),
        ("elon/grok", "x-grok-conv-id"),
        ("fireworks/a", "x-session-affinity"),
    ],
)
def test_each_is_told_where_it_looks(
    provider: StandIn, replicas: tuple[Gateway, Gateway], session: str, model: str, name: str
) -> None:
    """The same on all replicas, and never the client's own id."""
    first = told(provider, replicas[0], model, session)
    second = told(provider, replicas[1], model, session)
    others = [told(provider, replicas[0], model, f"{session}-{n}") for n in range(3)]

    assert first == second
    assert list(first) == [name]
    assert 16 <= len(first[name]) <= 64
    assert session not in first[name]
    assert len({first[name], *(other[name] for other in others)}) == 4


@pytest.mark.parametrize("model", ["openai/told-nothing", "groq/a", "house/a"])
def test_nobody_else_is(provider: StandIn, replicas: tuple[Gateway, Gateway], session: str, model: str) -> None:
    """Some servers refuse a field that they do not know; and an operator may turn it off."""
    assert told(provider, replicas[0], model, session) == {}


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "xai/grok", "openrouter/a"])
def test_without_a_session_there_is_nothing_to_tell(
    provider: StandIn, replicas: tuple[Gateway, Gateway], model: str
) -> None:
    assert told(provider, replicas[0], model, None) == {}


def test_what_the_client_or_the_operator_says_stays(
    provider: StandIn, replicas: tuple[Gateway, Gateway], session: str
) -> None:
    web = replicas[0]

    in_field = told(provider, web, "openai/gpt-4o-mini", session, fields={"prompt_cache_key": "mine"})
    in_header = told(provider, web, "xai/grok", f"{session}-2", x_grok_conv_id="mine")
    operators = told(provider, web, "cloudflare/a", f"{session}-3")

    assert in_field == {"prompt_cache_key": "mine"}
    assert in_header == {"x-grok-conv-id": "mine"}
    assert operators == {"x-session-affinity": "operators"}


def test_tenants_and_lanes_with_the_same_session_have_keys_of_their_own(
    provider: StandIn, replicas: tuple[Gateway, Gateway], session: str
) -> None:
    keys = CacheKeys(b"secret")
    xai = Provider(name="xai", base_url="http://x/v1", interface="xai")
    sessions = [Session("s"), Session("s", "t"), Session("s", "t", ("agent.1",)), Session("s~agent.1", "t")]

    mine = told(provider, replicas[0], "xai/grok", session)
    theirs = told(provider, replicas[0], "xai/grok", session, x_tenant="umbrella")

    assert mine != theirs
    assert len({keys.in_headers({}, xai, each)["x-grok-conv-id"] for each in sessions}) == 4


def catalog_of(**access_keys: str) -> Catalog:
    providers = {
        name: Provider(name=name, base_url="http://x/v1", interface=name, access_key=key)
        for name, key in access_keys.items()
    }
    return Catalog(tuple(Model(f"{name}/m", "m", provider) for name, provider in providers.items()))


def key_of(keys: CacheKeys, name: str = "xai") -> Mapping[str, str]:
    return keys.in_headers({}, Provider(name=name, base_url="http://x/v1", interface=name), Session("s"))


def keys_of(catalog: Catalog, digests: list[bytes]) -> CacheKeys:
    return CacheKeys(shared_secret(catalog, digests))


def test_the_secret_is_made_of_all_credentials_in_whatever_order() -> None:
    one = key_of(keys_of(catalog_of(xai="a", groq="b"), [b"1", b"2"]))

    assert key_of(keys_of(catalog_of(groq="b", xai="a"), [b"2", b"1"])) == one
    assert key_of(keys_of(catalog_of(xai="a", groq="c"), [b"1", b"2"])) != one
    assert key_of(keys_of(catalog_of(xai="a", groq="b"), [b"1"])) != one


def test_two_providers_cannot_compare_what_they_were_told() -> None:
    keys = CacheKeys(b"secret")

    assert key_of(keys, "fireworks")["x-session-affinity"] != key_of(keys, "cloudflare")["x-session-affinity"]


def test_off_needs_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(url="http://127.0.0.1:1"))

    assert [model.name for model in load(path, {}).catalog.models if not model.provider.cache_key] == [
        "openai/told-nothing"
    ]
