"""`plano up`: the whole pool by one command, and what it says."""

import contextlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
import requests

from tests.fakes.curl import on_path
from tests.fakes.ports import free_port, free_ports
from tests.harness import STARTS_WITHIN_S, Process, wait_until
from tests.system.plano_up import MEMORY, REDIS, memory_pool, plano, pool_of_make_run, refused

QUESTION = {"messages": [{"role": "user", "content": "Review this complex analysis"}]}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, int]]:
    """The pool of `make run`, on ports of its own."""
    with pool_of_make_run(tmp_path_factory.mktemp("demo")) as running:
        yield running


def test_the_lines_it_suggests_work_as_printed(demo: tuple[Process, int], tmp_path: Path) -> None:
    process, _ = demo
    first, second, key = re.findall(r"^\s+(curl .*)$", process.text(), re.MULTILINE)

    env = {**os.environ, "PATH": on_path(tmp_path, os.environ["PATH"])}
    shown = [_shell(line, env) for line in (first, first, second, key)]

    assert "x-plano-pinned" not in shown[0]
    assert "x-plano-pinned: true" in shown[1]
    assert json.loads(shown[2])["x_plano_pinned"] is True
    assert set(json.loads(shown[3])) == {"model_name", "route_name"}


def test_its_redis_and_its_order_of_candidates_are_found_without_an_address(tmp_path: Path) -> None:
    """The private Redis listens on a socket in a folder of its own."""
    with pool_of_make_run(tmp_path) as (_, port):
        requests.post(
            f"http://localhost:{port}/v1/chat/completions", json=QUESTION, headers={"X-Session-Id": "s"}, timeout=9
        )

        pin = plano("redis", "GET", "plano:affinity:s", PORT=str(port))
        order = plano("explain", "--route", "deep_reasoning", PORT=str(port))
    gone = plano("redis", "GET", "plano:affinity:s", PORT=str(port))

    assert json.loads(pin.stdout) == {"model_name": "openai/gpt-5.2", "route_name": "deep_reasoning"}
    assert order.stdout.startswith("route deep_reasoning, prefer none: the declared order")
    assert gone.returncode == 1
    assert gone.stderr == (
        "REDIS_URL: is not set, and no pool of `plano up` runs here; start one, or name its Redis\n"
    )


def test_it_is_not_ready_before_a_worker_is(tmp_path: Path) -> None:
    """The first request that somebody tries would wait for one, and then not be routed."""
    with pool_of_make_run(tmp_path, "worker: sleep 3 && exec python -m workers\n") as (_, port):
        said = requests.get(f"http://localhost:{port}/readyz", timeout=5).json()

    assert said["workers"] == 1


def test_two_web_processes_answer_at_the_one_port(demo: tuple[Process, int]) -> None:
    process, _ = demo

    wait_until(lambda: len(_web_processes(process.pid)) == 2, what="the second web process")


def test_a_second_pool_of_make_run_runs_beside_the_first(demo: tuple[Process, int], tmp_path: Path) -> None:
    """Only the port that users type is fixed: stand-ins take free ones."""
    (tmp_path / "second").mkdir()
    with pool_of_make_run(tmp_path / "second") as (second, _):
        listening = [re.findall(r"\w+ listens on (\S+)", process.text()) for process in (demo[0], second)]

    assert [len(set(addresses)) for addresses in listening] == [3, 3]
    assert not set(listening[0]) & set(listening[1])


def test_each_line_says_once_when_it_was(demo: tuple[Process, int]) -> None:
    """What a process writes says it by itself; honcho's line about a process says what, not when."""
    process, _ = demo

    times = {line: len(re.findall(r"\d\d:\d\d:\d\d", line)) for line in process.text().splitlines()}

    assert any("worker started" in line for line in times)
    assert all(count == 1 for line, count in times.items() if re.search(r" (info|warning|error) [\w.]+: ", line))
    assert max(times.values()) == 1, times


def test_a_taken_port_is_named_with_another_to_type(tmp_path: Path) -> None:
    """One that is free, whatever listens beside."""
    port, beside, free = free_ports(3)
    with _listening(port), _listening(beside):
        said = refused(tmp_path, MEMORY, "--port", str(port))

    assert said.returncode == 1
    assert f"port {port}: cannot be listened on (Address already in use)" in said.stderr
    assert f"plano up --port {free}, or make run PORT={free}" in said.stderr


def test_a_port_that_the_other_procfile_names_is_a_free_one(tmp_path: Path) -> None:
    """The config can say where what it starts listens, too."""
    config = MEMORY.replace("127.0.0.1:9/", "127.0.0.1:$SOME_PORT/")
    printing = "printing: echo ports $SOME_PORT ${OTHER_PORT_2} $SET_PORT $PORT; sleep 60\n"

    with memory_pool(tmp_path, printing, config, SET_PORT=str(given := free_port())) as (process, port):
        some, other, *rest = wait_until(lambda: re.findall(r"\bports (.*)", process.text()))[0].split()

    assert rest == [str(given), str(port)]
    assert some != other
    with _listening(int(some)), _listening(int(other)):
        """Nobody does."""


def test_a_port_that_a_variable_names_and_somebody_has_is_said(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("one: sleep $SOME_PORT $OTHER_PORT\n")
    with _listening(port := free_port()):
        arguments = ("--also", str(tmp_path / "Procfile"))
        said = refused(tmp_path, MEMORY, *arguments, SOME_PORT=str(port), OTHER_PORT="none")

    assert said.returncode == 1
    assert said.stderr == (
        f"SOME_PORT: port {port} cannot be listened on (Address already in use); "
        "use another, or unset it: then plano up takes a free one\n"
        "OTHER_PORT: is 'none'; it is a whole number from 1 to 65535\n"
    )


@pytest.mark.parametrize("name", ["REDIS_URL", "QUEUE_REDIS_URL"])
@pytest.mark.parametrize(
    ("address", "shown", "why"),
    [
        ("redis://user:secret@127.0.0.1:{port}", "redis://***@127.0.0.1:{port}", "Connection refused"),
        ("unix:///nonexistent/redis.sock", "unix:///nonexistent/redis.sock", "No such file or directory"),
        ("redis://127.0.0.1:nowhere", "redis://127.0.0.1:nowhere", "it is no address of a Redis"),
    ],
)
def test_a_redis_that_does_not_answer_is_named_with_the_cure(
    tmp_path: Path, name: str, address: str, shown: str, why: str
) -> None:
    """The pool would start, and serve degraded without a word."""
    port = free_port()

    said = refused(tmp_path, REDIS, "--port", str(free_port()), **{name: address.format(port=port)})

    assert said.returncode == 1
    assert said.stderr == (
        f"{name}: no Redis answers at {shown.format(port=port)} ({why}); start it, correct {name}, "
        "or unset it: then plano up starts a Redis of its own\n"
    )
    assert said.stdout == ""


def test_whatever_keeps_it_from_starting_is_said_at_once(tmp_path: Path) -> None:
    with _listening(port := free_port()):
        said = refused(tmp_path, REDIS, "--port", str(port), REDIS_URL=f"redis://127.0.0.1:{free_port()}")

    assert [line.split(":")[0] for line in said.stderr.splitlines()] == [f"port {port}", "REDIS_URL"]


def test_memory_mode_asks_no_redis(tmp_path: Path) -> None:
    """It ends by the port, which is looked at together with Redis."""
    with _listening(port := free_port()):
        said = refused(tmp_path, MEMORY, "--port", str(port), REDIS_URL=f"redis://127.0.0.1:{free_port()}")

    assert "REDIS_URL" not in said.stderr


def test_memory_mode_refuses_a_second_web_process(tmp_path: Path) -> None:
    said = refused(tmp_path, MEMORY, "--web", "2")

    assert said.returncode == 1
    assert "--web: is 2" in said.stderr


def test_a_missing_key_is_named_with_its_cure(tmp_path: Path) -> None:
    said = refused(tmp_path, MEMORY.replace("default: true", "access_key: $SOME_KEY"))

    assert said.returncode == 1
    assert "$SOME_KEY is not set; export it or write it into .env" in said.stderr


def _listening(port: int) -> socket.socket:
    """Somebody else's server."""
    return socket.create_server(("0.0.0.0", port))


def _shell(line: str, env: Mapping[str, str]) -> str:
    return subprocess.run(
        line, env=env, shell=True, capture_output=True, text=True, timeout=STARTS_WITHIN_S, check=True
    ).stdout


def _web_processes(root: int) -> list[psutil.Process]:
    """The workers of gunicorn: the children of its master."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(root).children(recursive=True)
        gunicorns = [child for child in children if "web.wsgi:app" in child.cmdline()]
        masters = {process.pid for process in gunicorns}
        return [process for process in gunicorns if process.ppid() in masters]
    return []
