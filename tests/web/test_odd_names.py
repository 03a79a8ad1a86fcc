"""Names that clients choose, in every header and in the log: a provider with a wildcard takes any of them."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.web.gateway import CHAT, DECISION, Gateway, Outside, body

ODD = [
    "a\r\nx-evil: 1",
    "a\nb",
    "a\x00b",
    "a\x7f\x1b[2Jb",
    "\N{CJK UNIFIED IDEOGRAPH-6A21}\u2028\u202e",
    "ü",
    "a\tb;c",
]
CONFIG = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%(provider)d/v1", access_key: sk-openai, default: true}
  - {model: "house/*", base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai}
  - {model: "down/*", base_url: "http://127.0.0.1:%(down)d/v1", provider_interface: openai}
routing: {fallback_to_default: true}
"""


@pytest.fixture(scope="module")
def site(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Process]]:
    config = CONFIG % {"provider": outside.provider.port, "down": outside.down}
    with running(Pool(tmp_path_factory.mktemp("odd"), config, server.url)) as pool:
        port = free_port()
        process = pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway, process


@pytest.fixture
def gateway(site: tuple[Gateway, Process]) -> Gateway:
    return site[0]


def headers_of(gateway: Gateway, request: bytes) -> dict[str, str]:
    """The status and the headers, read byte by byte: a client library would hide what is wrong."""
    head, _, _ = gateway.raw(request).partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    assert all(line.isprintable() for line in lines)
    named = dict(line.split(": ", 1) for line in lines)
    assert len(named) == len(lines)
    assert "x-evil" not in named
    return {"status": status.split()[1], **named}


def sent(path: str, data: bytes, session: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n"
    return f"{head}X-Model-Affinity: {session}\r\n\r\n".encode() + data


@pytest.mark.parametrize("name", ODD)
def test_a_model_of_any_name_may_fail(gateway: Gateway, provider: Provider, session: str, name: str) -> None:
    provider.behave("status", model=name, code=503)

    said = headers_of(gateway, sent(CHAT, body(model=f"house/{name}"), session))

    assert (said["status"], said["x-plano-model"]) == ("200", "openai/gpt-4o-mini")
    assert said["x-plano-fallback"].startswith("house/")
    assert said["x-plano-fallback"].endswith(";503")


@pytest.mark.parametrize("name", ODD)
def test_and_so_may_all_that_follow_it(gateway: Gateway, provider: Provider, session: str, name: str) -> None:
    """An error of ours names those that failed, too."""
    provider.behave("close")

    said = headers_of(gateway, sent(CHAT, body(model=f"down/{name}"), session))

    assert said["status"] == "502"
    assert said["x-plano-fallback"].startswith("down/")


@pytest.mark.parametrize("name", ODD)
def test_a_decision_and_a_pin_name_it_as_it_is(gateway: Gateway, cache: redis.Redis, session: str, name: str) -> None:
    said = headers_of(gateway, sent(DECISION, body(model=f"house/{name}"), session))

    assert said["status"] == "200"
    assert json.loads(cache.get(f"plano:affinity:{session}") or b"{}")["model_name"] == f"house/{name}"


def test_a_model_of_any_name_is_one_line_in_the_log(site: tuple[Gateway, Process], provider: Provider) -> None:
    gateway, process = site
    provider.behave("status", code=503)

    gateway.chat(model="house/log\r\n2026-01-01T00:00:00Z info plano.web: all is well")

    lines = wait_until(lambda: [line for line in process.text().splitlines() if "all is well" in line])
    assert all(line.startswith("20") and "log??2026" in line for line in lines)


def test_a_path_of_any_name_is_one_line_in_the_log(site: tuple[Gateway, Process]) -> None:
    gateway, process = site

    gateway.raw(b"GET /log%0A2026-01-01T00:00:00Z%20info%20plano.web:%20all%20is%20fine HTTP/1.0\r\n\r\n")

    (line,) = wait_until(lambda: [line for line in process.text().splitlines() if "all is fine" in line])
    assert "/log?2026" in line
