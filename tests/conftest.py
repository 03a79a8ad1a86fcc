"""A real Redis for every test that asks for one, signals as in a terminal, and the order of the files."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.harness import RedisServer

TESTS = Path(__file__).resolve().parent
LONGEST = (
    "test_coding_agents.py",
    "test_rolling_restart.py",
    "test_up.py",
    "test_procfile.py",
    "test_demo_session_affinity_redis.py",
    "test_hostile_queue.py",
    "test_outgoing.py",
)


def pytest_configure() -> None:
    """Go on ignoring what a run in the background ignores, but by a handler: what tests start does not inherit it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: where several run at once, the last one keeps nobody waiting."""
    items.sort(key=_turn)


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


def _turn(item: pytest.Item) -> tuple[int, bool]:
    name = item.path.name
    return LONGEST.index(name) if name in LONGEST else len(LONGEST), TESTS / "system" not in item.path.parents
