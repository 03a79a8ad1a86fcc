"""A real Redis for every test that asks for one, signals as in a terminal, and which tests belong together."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.harness import RedisServer

TESTS = Path(__file__).resolve().parent
FOLDERS = ("system", "fuzz", "store", "web", "workers", "unit")
"""In the order in which they are begun: what takes longest must not come last."""
_STARTS_NOTHING = {"balancer_name"}


def pytest_configure() -> None:
    """Go on ignoring what a run in the background ignores, but by a handler: what tests start does not inherit it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell pytest-xdist what belongs together: the tests of a file, for what they share is then started once.

    A test of a system that shares nothing goes to whichever process is free.
    """
    for item in items:
        if not _is_by_itself(item):
            item.add_marker(pytest.mark.xdist_group(_place(item).as_posix()))
    items.sort(key=lambda item: (FOLDERS.index(_place(item).parts[0]), _is_by_itself(item)))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A private redis-server for the whole run."""
    server = RedisServer(Path(tmp_path_factory.mktemp("redis"))).start()
    yield server
    server.stop()


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """An empty Redis; afterwards every key of ours must have a ttl."""
    with redis_server.client() as client:
        client.flushall()
        yield client
        everlasting = [key.decode() for key in client.scan_iter("plano:*") if client.ttl(key) == -1]

    assert not everlasting, f"these keys never expire: {everlasting}"


def _place(item: pytest.Item) -> Path:
    return item.path.relative_to(TESTS)


def _is_by_itself(item: pytest.Item) -> bool:
    """Whether a test of a system uses nothing that its file's others use, too."""
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    shared = {
        name
        for name, made in known.items()
        if made[-1].scope in {"module", "session"} and made[-1].baseid.startswith("tests")
    }
    return _place(item).parts[0] == "system" and not shared - _STARTS_NOTHING
