"""`/readyz` tells the truth: whether pins can be written now, and if not, why."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from tests.fakes.delay import SlowProxy
from tests.fakes.ports import free_port
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.web import sites
from tests.web.gateway import WRITE, Gateway, Outside

Change = Callable[[redis.Redis], object]
FAULTS: dict[str, tuple[Change, Change]] = {
    "READONLY": (lambda own: own.replicaof("127.0.0.1", "1"), lambda own: own.replicaof("NO", "ONE")),
    "OOM": (lambda own: own.config_set("maxmemory", 1), lambda own: own.config_set("maxmemory", 0)),
    "NOPERM": (
        lambda own: own.execute_command("ACL", "SETUSER", "default", "-set"),
        lambda own: own.execute_command("ACL", "SETUSER", "default", "+set"),
    ),
}


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(Path(tmp_path_factory.mktemp("ready"))).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def slow(own_server: RedisServer) -> Iterator[SlowProxy]:
    with closing(SlowProxy(own_server.socket)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def process(
    outside: Outside, slow: SlowProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, Gateway]]:
    """A web process, and what its clients see of it. The proxy is a thread of this process, and may come late."""
    patient = sites.usual(outside).replace(
        "routing:\n", "routing:\n  session_cache: {type: redis, silence_ms: 1000}\n"
    )
    pool = Pool(tmp_path_factory.mktemp("readiness"), patient, f"redis://127.0.0.1:{slow.port}")
    port = free_port()
    with running(pool), closing(Gateway(port)) as gateway:
        yield pool.web(port), gateway


@pytest.mark.parametrize("code", FAULTS)
def test_a_redis_that_refuses_writes_makes_the_replica_unready_and_says_why(
    process: tuple[Process, Gateway], own_server: RedisServer, session: str, code: str
) -> None:
    """It answered PING, and so `/readyz` said 200 while not one new session could be pinned."""
    web, gateway = process
    spoil, mend = FAULTS[code]
    with own_server.client() as own:
        own.set(f"plano:affinity:{session}", '{"model_name":"openai/gpt-5.2","route_name":null}', ex=60)
        wait_until(lambda: gateway.ask("GET", "/readyz").ok, what="readiness")
        said = web.text().count(f"redis refuses writes: {code}")

        spoil(own)
        try:
            answers = [gateway.ask("GET", "/readyz") for _ in range(5)]
            pinned = gateway.chat(WRITE, session)
        finally:
            mend(own)
        wait_until(lambda: gateway.ask("GET", "/readyz").ok, what="readiness once more")

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["reason"] for answer in answers} == {f"redis refuses writes: {code}"}
    assert {answer.json()["redis"] for answer in answers} == {"refuses writes"}
    assert (pinned.status_code, pinned.headers["x-plano-pinned"]) == (200, "true")
    assert web.text().count(f"redis refuses writes: {code}") - said == 1
    assert web.text().count("redis takes writes again") >= 1


def test_a_slow_redis_is_no_reason_to_be_unready(process: tuple[Process, Gateway], slow: SlowProxy) -> None:
    _, gateway = process
    slow.delay = 0.25
    try:
        answers = [gateway.ask("GET", "/readyz") for _ in range(5)]
    finally:
        slow.delay = 0

    assert {answer.status_code for answer in answers} == {200}
    assert not any("reason" in answer.json() for answer in answers)
