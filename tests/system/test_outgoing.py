"""Providers and the router behind a private certificate authority, and behind a proxy."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.fakes.scripted import scripted
from tests.fakes.tls import Authority, ConnectProxy, tls_front
from tests.harness import Pool, RedisServer, running
from tests.system.asking import DEEP, ask

CONFIG = """
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: "{provider}/v1", {own} default: true}}
  - {{model: openai/gpt-5.2, base_url: "{provider}/v1" {own_last}}}
  - {{model: plano/Arch-Router, base_url: "{router}/v1" {own_last}}}
overrides: {{llm_routing_model: plano/Arch-Router}}
routing_preferences:
  - {{name: deep_reasoning, description: complex analysis and review, models: [openai/gpt-5.2]}}
  - {{name: fast_responses, description: quick facts and small talk, models: [openai/gpt-4o-mini]}}
"""
PROVIDER, ROUTER = "models.example.test", "router.example.test"

Start = Callable[..., int]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def fronts(authority: Authority, provider: Provider, router: Router) -> Iterator[tuple[int, int]]:
    """The ports where provider and router speak TLS."""
    at_provider = authority.server_context(PROVIDER, "localhost")
    at_router = authority.server_context(ROUTER, "localhost")
    with tls_front(at_provider, provider.port) as first, tls_front(at_router, router.port) as second:
        yield first.port, second.port


@pytest.fixture
def start(tmp_path: Path, redis_of_its_own: RedisServer) -> Iterator[Start]:
    """Starts a web process and a worker; provider and router are at these addresses. Returns web's port."""
    pools: list[Pool] = []

    def start(provider: str, router: str, *, ca_file: str | None = None, **env: str) -> int:
        own = f"ca_file: {ca_file}" if ca_file else ""
        text = CONFIG.format(
            provider=provider, router=router, own=f"{own}," if own else "", own_last=f", {own}" if own else ""
        )
        pools.append(Pool(tmp_path, text, redis_of_its_own.url, **env))
        pools[-1].serve(port := free_port())
        return port

    yield start
    for pool in pools:
        with running(pool):
            pass


def test_a_private_authority_is_trusted_where_the_file_names_it(
    start: Start, fronts: tuple[int, int], router: Router
) -> None:
    """Its path starts at the config file."""
    port = start(*_local(fronts), ca_file="authority.pem")

    answer = ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.2")
    assert router.calls == 1


def test_a_long_body_reaches_a_provider_over_tls(start: Start, fronts: tuple[int, int], provider: Provider) -> None:
    port = start(*_local(fronts), ca_file="authority.pem")

    answer = ask(port, "s", DEEP, x_odd="é" * 300_000, x_last=1)

    assert answer.status_code == 200
    assert list(provider.requests[0].json)[-3:] == ["x_odd", "x_last", "model"]
    assert provider.requests[0].json["x_odd"] == "é" * 300_000


def test_a_private_authority_is_trusted_where_the_environment_names_it(
    start: Start, fronts: tuple[int, int], authority: Authority, router: Router
) -> None:
    port = start(*_local(fronts), SSL_CERT_FILE=str(authority.file))

    answer = ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.2")
    assert router.calls == 1


@pytest.mark.parametrize("sources", ["", "model_metrics_sources: [{type: latency, provider: observed}]"])
def test_a_private_authority_is_trusted_in_memory_mode_too(
    tmp_path: Path, fronts: tuple[int, int], authority: Authority, router: Router, sources: str
) -> None:
    """There the web process asks the router itself."""
    provider, at_router = _local(fronts)
    text = CONFIG.format(provider=provider, router=at_router, own="", own_last="")
    text += f"routing: {{session_cache: {{type: memory}}}}\n{sources}\n"
    with running(Pool(tmp_path, text, "redis://unused", SSL_CERT_FILE=str(authority.file))) as pool:
        pool.web(port := free_port())

        answer = ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.2")
    assert router.calls == 1


def test_a_private_authority_that_nobody_names_is_not_trusted(
    start: Start, fronts: tuple[int, int], provider: Provider, router: Router
) -> None:
    port = start(*_local(fronts))

    answer = ask(port, "s", DEEP)

    assert answer.status_code == 502
    assert answer.headers["x-plano-degraded"] == "router"
    assert provider.calls == router.calls == 0


def test_a_providers_own_authority_takes_the_place_of_the_environments(
    start: Start, fronts: tuple[int, int], authority: Authority, tmp_path: Path, provider: Provider
) -> None:
    Authority(tmp_path, "other")
    port = start(*_local(fronts), ca_file="other.pem", SSL_CERT_FILE=str(authority.file))

    assert ask(port, "s", DEEP).status_code == 502
    assert provider.calls == 0


def test_tls_goes_through_the_proxy(
    start: Start, fronts: tuple[int, int], authority: Authority, router: Router
) -> None:
    """And the proxy looks the names up, which nobody else knows."""
    given = "Basic " + base64.b64encode(b"us er:pass@word").decode()
    proxy = ConnectProxy({f"{PROVIDER}:443": fronts[0], f"{ROUTER}:443": fronts[1]}, given)
    with scripted(proxy) as listening:
        port = start(
            f"https://{PROVIDER}",
            f"https://{ROUTER}",
            HTTPS_PROXY=f"http://us%20er:pass%40word@127.0.0.1:{listening.port}",
            SSL_CERT_FILE=str(authority.file),
        )

        answer, again = ask(port, "s", DEEP), ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["model"], again.status_code) == (200, "openai/gpt-5.2", 200)
    assert router.calls == 1
    assert sorted(proxy.asked) == [f"{PROVIDER}:443", f"{ROUTER}:443"]


@pytest.mark.parametrize("exempt", ["localhost", "other.example,.localhost,localhost", "*"])
def test_hosts_that_are_exempt_are_reached_without_the_proxy(
    start: Start, fronts: tuple[int, int], authority: Authority, router: Router, exempt: str
) -> None:
    proxy = ConnectProxy({})
    with scripted(proxy) as listening:
        port = start(
            *_local(fronts),
            HTTPS_PROXY=f"127.0.0.1:{listening.port}",
            NO_PROXY=exempt,
            SSL_CERT_FILE=str(authority.file),
        )

        answer = ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["model"]) == (200, "openai/gpt-5.2")
    assert router.calls == 1
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_told_as_a_provider_that_cannot_be_reached(
    start: Start, fronts: tuple[int, int], authority: Authority, provider: Provider
) -> None:
    proxy = ConnectProxy({}, "Basic nobody")
    with scripted(proxy) as listening:
        port = start(
            *_local(fronts),
            HTTPS_PROXY=f"http://127.0.0.1:{listening.port}",
            SSL_CERT_FILE=str(authority.file),
        )

        answer = ask(port, "s", DEEP)

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert provider.calls == 0
    assert f"localhost:{fronts[0]}" in proxy.asked


def _local(ports: tuple[int, int]) -> tuple[str, str]:
    return f"https://localhost:{ports[0]}", f"https://localhost:{ports[1]}"
