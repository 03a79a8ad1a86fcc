"""Web processes, a worker and a Redis, all real; providers and the router are stand-ins in this process."""

import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import redis

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web import client_apis, sites
from tests.web.gateway import Gateway, Outside, Webs


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    with Provider() as provider, Provider() as other, Router() as router, socket.socket() as down:
        down.bind(("127.0.0.1", 0))  # nobody listens there, for as long as this lasts
        yield Outside(provider, other, router, down.getsockname()[1])


@pytest.fixture(autouse=True)
def at_ease(outside: Outside, server: RedisServer) -> Iterator[None]:
    """Stand-ins behave again after each test, and have forgotten it; no model sits out because of another test."""
    with server.client() as client:
        for pattern in ("plano:cooldown:*", "plano:failures:*", "plano:probe:*", "plano:suspected:*"):
            for key in client.scan_iter(pattern):
                client.delete(key)
    yield

    for stand_in in outside.stand_ins:
        stand_in.pause = stand_in.delay = 0
        stand_in.behave(None)
    outside.router.answer = None
    wait_until(lambda: not any(stand_in.open for stand_in in outside.stand_ins), what="the end of every answer")
    for stand_in in outside.stand_ins:
        stand_in.clear()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The pool's Redis: nobody else's, since others empty theirs."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cache(server: RedisServer) -> Iterator[redis.Redis]:
    """Looks into the pool's Redis; at the end every key of ours must have a ttl."""
    with server.client() as client:
        yield client
        everlasting = [key.decode() for key in client.scan_iter("plano:*") if client.ttl(key) == -1]

    assert not everlasting, f"these keys never expire: {everlasting}"


@pytest.fixture(scope="session")
def returning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the site that finds it away; a test may start it."""
    server = RedisServer(tmp_path_factory.mktemp("returning"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def webs(
    outside: Outside, server: RedisServer, returning: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webs]:
    """All processes, started and stopped together: one after the other they would take seconds."""
    nowhere = f"redis://127.0.0.1:{outside.down}"
    works, *serve = pools = [
        Pool(tmp_path_factory.mktemp(name), config, redis_url)
        for name, config, redis_url in (
            ("worker", sites.usual(outside), server.url),
            ("usual", sites.usual(outside), server.url),
            ("strict", sites.strict(outside), server.url),
            ("away", sites.usual(outside), returning.url),
            ("memory", sites.memory(outside), nowhere),
        )
    ]
    ports = [free_port() for _ in serve]
    with ThreadPoolExecutor(len(pools)) as together:
        try:
            worker = together.submit(works.worker)
            list(together.map(Pool.web, serve, ports))
            worker.result()
            usual, strict, away, memory = map(Gateway, ports)
            strict.headers = {"authorization": f"Bearer {sites.KEYS['team']}"}
            with closing(usual), closing(strict), closing(away), closing(memory):
                yield Webs(usual=usual, strict=strict, away=away, memory=memory)
        finally:
            list(together.map(Pool.stop, pools))


@pytest.fixture(scope="session")
def narrow(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process with low limits, for the tests that reach them."""
    with running(Pool(tmp_path_factory.mktemp("narrow"), sites.narrow(outside), server.url)) as pool:
        port = free_port()
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            gateway.headers = {sites.TENANT_HEADER: "acme"}
            yield gateway


@pytest.fixture(scope="session")
def each_api(outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process in front of a provider of each API."""
    port = free_port()
    with running(Pool(tmp_path_factory.mktemp("apis"), client_apis.config(outside), server.url)) as pool:
        pool.web(port)
        with closing(Gateway(port)) as gateway:
            yield gateway


@pytest.fixture
def web(webs: Webs) -> Gateway:
    """The usual web process, with its worker."""
    return webs.usual


@pytest.fixture
def provider(outside: Outside) -> Provider:
    return outside.provider


@pytest.fixture
def router(outside: Outside) -> Router:
    return outside.router


@pytest.fixture
def session() -> str:
    """An id that no other test uses."""
    return uuid.uuid4().hex
