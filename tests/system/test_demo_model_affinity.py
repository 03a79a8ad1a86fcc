"""demos/model_affinity runs as its README says, and leaves nothing behind."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.ports import free_port
from tests.harness import ROOT, still_running, wait_until

DEMO = ROOT / "demos/model_affinity"


@pytest.fixture
def env() -> dict[str, str]:
    """A free port, no keys, and the programs of this Python first."""
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", "PORT": str(free_port())}


def test_it_prints_what_is_expected_and_stops_its_pool(env: dict[str, str], tmp_path: Path) -> None:
    with (
        (tmp_path / "output").open("w") as output,
        subprocess.Popen(["./demo.sh"], cwd=DEMO, env=env, stdout=output, stderr=subprocess.STDOUT) as demo,
    ):
        started: set[psutil.Process] = set()
        try:
            wait_until(lambda: _ended(demo, started), within_s=240, what="the end of the demo")
        finally:
            demo.terminate()

    said = (tmp_path / "output").read_text()
    assert said == (DEMO / "expected_output.txt").read_text()
    assert demo.returncode == 0
    assert len(started) > 5
    assert still_running(started) == []


def test_sigterm_in_the_middle_stops_its_pool(env: dict[str, str]) -> None:
    with subprocess.Popen(["./demo.sh"], cwd=DEMO, env=env, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        next(line for line in demo.stdout if "turn 1" in line)
        started: set[psutil.Process] = set()
        _ended(demo, started)
        demo.terminate()

        assert demo.wait(30) == 143
    assert len(started) > 5
    assert still_running(started) == []


def test_a_taken_port_is_named(env: dict[str, str]) -> None:
    with socket.create_server(("0.0.0.0", int(env["PORT"]))):
        said = _run(["./demo.sh"], env)

    assert said.returncode == 1
    assert f"port {env['PORT']}: cannot be listened on" in said.stderr


def test_a_gateway_that_is_not_there_is_named(env: dict[str, str]) -> None:
    address = f"http://localhost:{env['PORT']}"

    said = _run([sys.executable, "demo.py", "--url", address], env)

    assert said.returncode == 1
    assert f"Could not reach Plano at {address}" in said.stderr


def _run(command: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=DEMO, env=env, capture_output=True, text=True, timeout=240, check=False)


def _ended(demo: "subprocess.Popen[Any]", started: set[psutil.Process]) -> bool:
    """Whether the demo has ended; adds to `started` what it runs now."""
    with contextlib.suppress(psutil.Error):
        started.update(psutil.Process(demo.pid).children(recursive=True))
    return demo.poll() is not None
