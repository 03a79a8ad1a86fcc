"""Idle connections to providers: kept for the next request, and no longer than that makes sense."""

from collections.abc import Callable, Iterator

import gevent
import pytest

from tests.fakes.provider import Provider
from tests.harness import wait_until
from web.upstream import Upstream

BODY = b'{"model":"gpt-5.2","messages":[{"role":"user","content":"quick facts"}]}'


@pytest.fixture
def provider() -> Iterator[Provider]:
    """One of its own, which may be closed."""
    with Provider() as server:
        yield server


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """What sends requests to providers."""
    made = Upstream(5)
    yield made
    made.close()


@pytest.fixture
def ask(upstream: Upstream, provider: Provider) -> Callable[[int], None]:
    """Asks so many times at once."""

    def at_once(many: int) -> None:
        provider.delay = 0.1 if many > 1 else 0
        asked = [gevent.spawn(_ask, upstream, provider.url) for _ in range(many)]
        gevent.joinall(asked, raise_error=True)

    return at_once


def _ask(upstream: Upstream, url: str) -> None:
    answer = upstream.post(f"{url}/chat/completions", [], BODY, provider="openai", within_s=5)
    answer.read()
    answer.close()


def test_connections_that_nobody_needs_any_more_are_closed(
    upstream: Upstream, provider: Provider, ask: Callable[[int], None]
) -> None:
    ask(9)
    upstream.tend(last_round=True)  # until here all nine were in use
    for _ in range(3):
        ask(1)
    assert provider.connected == 9

    upstream.tend(last_round=True)

    wait_until(lambda: provider.connected == 1, what="the end of the spare ones")
    ask(1)
    assert provider.connections == 9


def test_connections_that_the_provider_has_closed_are_let_go(
    upstream: Upstream, provider: Provider, ask: Callable[[int], None]
) -> None:
    """Otherwise each would keep its file descriptor until the process ends."""
    ask(5)
    provider.close()

    upstream.tend()

    assert [pool._socket_queue.qsize() for pool, _ in upstream._pools.values()] == [0]
