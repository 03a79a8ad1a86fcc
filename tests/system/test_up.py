"""`plano up`: the whole pool by one command, and what it says."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.fakes.ports import free_port
from tests.harness import ROOT, STARTS_WITHIN_S, Process, still_running, wait_until

PLANO = str(Path(sys.executable).with_name("plano"))
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
MEMORY = """
version: v0.4.0
model_providers: [{model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:9/v1", default: true}]
routing: {session_cache: {type: memory}}
"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """The pool of `make run`, on ports of its own."""
    with _pool(tmp_path) as running:
        yield running


@contextlib.contextmanager
def _pool(tmp_path: Path, more: str = "") -> Iterator[tuple[Process, int]]:
    """The pool of `make run` with more lines in its Procfile, from when it says that it is ready."""
    port, *stand_ins = (free_port() for _ in range(4))
    config = (ROOT / "demos/local/config.yaml").read_text()
    procfile = (ROOT / "demos/local/Procfile").read_text()
    for fixed, free in zip(("12101", "12102", "12103"), stand_ins, strict=True):
        config, procfile = config.replace(fixed, str(free)), procfile.replace(fixed, str(free))
    (tmp_path / "config.yaml").write_text(config)
    (tmp_path / "Procfile").write_text(procfile + more)
    command = [PLANO, "up", str(tmp_path / "config.yaml"), "--also", str(tmp_path / "Procfile"), "--port", str(port)]
    process = Process(command, tmp_path / "up.log", {**CLEAN, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(
            lambda: "plano is ready" in process.text() or not process.alive, within_s=STARTS_WITHIN_S, what="the pool"
        )
        assert process.alive, process.text()
        yield process, port
    finally:
        if process.alive:
            process.stop()


def test_the_lines_it_suggests_work_as_printed(demo: tuple[Process, int]) -> None:
    process, _ = demo
    first, second, key = re.findall(r"^\s+(curl .*)$", process.text(), re.MULTILINE)

    shown = [_shell(line) for line in (first, first, second, key)]

    assert "x-plano-pinned" not in shown[0]
    assert "x-plano-pinned: true" in shown[1]
    assert json.loads(shown[2])["x_plano_pinned"] is True
    assert set(json.loads(shown[3])) == {"model_name", "route_name"}


def test_it_is_not_ready_before_a_worker_is(tmp_path: Path) -> None:
    """The first request that somebody tries would wait for one, and then not be routed."""
    with _pool(tmp_path, "worker: sleep 3 && exec python -m workers\n") as (_, port):
        said = requests.get(f"http://localhost:{port}/readyz", timeout=5).json()

    assert said["workers"] == 1


def test_two_web_processes_answer_at_the_one_port(demo: tuple[Process, int]) -> None:
    process, _ = demo

    wait_until(lambda: len(_web_processes(process.pid)) == 2, what="the second web process")


def test_sigterm_stops_everything_it_started(demo: tuple[Process, int]) -> None:
    process, port = demo
    started = psutil.Process(process.pid).children(recursive=True)
    kept_open = requests.Session()
    kept_open.get(f"http://127.0.0.1:{port}/livez", timeout=5)

    code = process.stop(signal.SIGTERM)

    kept_open.close()
    assert code == 0
    assert still_running(started) == []
    assert "SIGKILL" not in process.text()


def test_a_taken_port_is_named_with_another_to_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _run(tmp_path, MEMORY, "--port", str(port))

    assert said.returncode == 1
    assert f"port {port}: cannot be listened on" in said.stderr
    assert f"--port {port + 1}" in said.stderr


def test_memory_mode_refuses_a_second_web_process(tmp_path: Path) -> None:
    said = _run(tmp_path, MEMORY, "--web", "2")

    assert said.returncode == 1
    assert "--web: is 2" in said.stderr


def test_a_missing_key_is_named_with_its_cure(tmp_path: Path) -> None:
    said = _run(tmp_path, MEMORY.replace("default: true", "access_key: $SOME_KEY"))

    assert said.returncode == 1
    assert "$SOME_KEY is not set; export it or write it into .env" in said.stderr


def _run(folder: Path, config: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "config.yaml").write_text(config)
    command = [PLANO, "up", str(folder / "config.yaml"), *arguments]
    return subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=20, check=False)


def _shell(line: str) -> str:
    return subprocess.run(line, shell=True, capture_output=True, text=True, timeout=20, check=True).stdout


def _web_processes(root: int) -> list[psutil.Process]:
    """The workers of gunicorn: the children of its master."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(root).children(recursive=True)
        gunicorns = [child for child in children if "web.wsgi:app" in child.cmdline()]
        masters = {process.pid for process in gunicorns}
        return [process for process in gunicorns if process.ppid() in masters]
    return []
