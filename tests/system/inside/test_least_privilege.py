"""The pool with a user of Redis that may do what docs/operations.md says, and nothing else."""

import re
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from click.testing import CliRunner

from shared.cli import main
from shared.store.connection.acl_rules import acl
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import ROOT, Pool, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask, pinned
from tests.system.conftest import config_text

pytestmark = pytest.mark.alone

USER, PASSWORD, TOKEN = "plano", "pw", "operator"
SOURCES = "model_metrics_sources: [{type: latency, provider: observed, refresh_interval: 1}]"
FIRST = "openai/gpt-5.2"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path).start()
    with server.client() as own:
        own.execute_command(*acl(USER, PASSWORD).split())
        own.execute_command("ACL", "LOG", "RESET")
    yield server
    server.stop()


def denied(own: redis.Redis) -> list[tuple[Any, Any, Any]]:
    """What Redis has refused for want of permission."""
    entries: Any = own.execute_command("ACL", "LOG", "100")
    return [(entry["reason"], entry["context"], entry["object"]) for entry in map(_fields, entries)]


def _fields(entry: Any) -> dict[str, Any]:
    if isinstance(entry, dict):
        return {_text(name): _text(value) for name, value in entry.items()}
    return dict(zip(map(_text, entry[::2]), map(_text, entry[1::2]), strict=True))


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
def test_all_that_the_pool_does_is_allowed_to_its_user(server: RedisServer, tmp_path: Path, mode: str) -> None:
    """Signing on and off, deciding, pinning, failing over, measuring, the operator's pages; and what is hostile."""
    with Provider() as provider, Router() as router, server.client() as own:
        routing = f"session_ttl_mode: {mode}\n  session_max_age_seconds: 3600" if mode == "sliding" else ""
        config = config_text(provider, router, routing=routing, listener=SOURCES)
        url = f"unix://{USER}@{server.socket}?password={PASSWORD}"
        pool = Pool(tmp_path, config, url, PLANO_ADMIN_TOKEN=TOKEN)
        own.rpush("rq:queue:plano", "stale", "foreign")
        own.hset("rq:job:foreign", mapping={"data": b"x"})
        with running(pool):
            port = free_port()
            pool.serve(port)
            clock = pool._start("clock")
            first, second = ask(port, "s", DEEP), ask(port, "s", DEEP)
            provider.behave("status", code=503, times=1)
            moved = ask(port, "s", DEEP)
            own.delete(f"plano:cooldown:{FIRST}")
            wait_until(lambda: not own.exists(f"plano:failures:{FIRST}") or recovered(port), what="a recovery")
            alone = ask(port, None, DEEP)
            operate(f"http://127.0.0.1:{port}")
            wait_until(lambda: own.exists("plano:metrics:snapshot"), within_s=20, what="a snapshot")
            ready = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
            own.set("plano:affinity:bad", "no pin")
            bad = ask(port, "bad", DEEP)
            pool.worker()  # which tidies up, and signs off
            clock.stop()
        texts = [process.text() for process in pool.processes]

        assert denied(own) == []
        assert (first.json()["model"], pinned(first), pinned(second)) == (FIRST, False, True)
        assert moved.headers["x-plano-fallback"] == f"{FIRST};503"
        assert {answer.headers.get("x-plano-degraded") for answer in (first, second, moved, alone, bad)} == {None}
        assert ready.status_code == 200
        assert not any("refuses" in text or "Traceback" in text for text in texts)


def recovered(port: int) -> bool:
    """Never, but by its side effect: a new session tries the model again."""
    ask(port, uuid.uuid4().hex, DEEP)
    return False


def operate(address: str) -> None:
    """Do all that an operator can."""

    def call(method: str, path: str, **body: Any) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.request(
            method, f"{address}/admin/api/v1/{path}", headers=headers, json=body or None, timeout=30
        )
        assert answer.ok, answer.text

    call("POST", "session/pin", id="a/b", model="openai/gpt-5.2")
    call("POST", "session/hold", id="a/b")
    call("POST", "session/release", id="a/b")
    call("POST", "models/drain", model="openai/gpt-5.2")
    call("POST", "models/undrain", model="openai/gpt-5.2")
    for path in ("session?id=a/b", "sessions", "sessions?every=true&ended=true", "models", "pool", "stats", "pins"):
        call("GET", path)
    call("GET", "pin?key=plano:affinity:a/b")
    call("POST", "session/unpin", id="a/b")


def test_the_user_reaches_nothing_else(server: RedisServer) -> None:
    with redis.Redis(unix_socket_path=str(server.socket), username=USER, password=PASSWORD) as client:
        for command in (["GET", "others"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"], ["ACL", "LIST"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.publish("others", "x")


def test_the_command_is_printed_and_stands_in_the_documentation() -> None:
    printed = CliRunner().invoke(main, ["check", "--acl"])
    text = (ROOT / "docs" / "operations.md").read_text()

    assert (printed.exit_code, printed.output.strip()) == (0, acl())
    assert acl() in re.sub(r" \\\n\s*", " ", text)


def test_a_worker_that_is_killed_leaves_nothing_that_the_next_one_may_not_touch(
    server: RedisServer, tmp_path: Path
) -> None:
    with Provider() as provider, Router() as router, server.client() as own:
        url = f"unix://{USER}@{server.socket}?password={PASSWORD}"
        pool = Pool(tmp_path, config_text(provider, router, budget_ms=8000), url)
        with running(pool):
            port = free_port()
            killed = pool.worker()
            pool.web(port)
            ask(port, "warm", DEEP)
            killed.stop(signal.SIGKILL)
            pool.worker()
            answer = ask(port, "next", DEEP)

        assert denied(own) == []
        assert "x-plano-degraded" not in answer.headers
