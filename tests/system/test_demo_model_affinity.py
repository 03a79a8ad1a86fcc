"""demos/model_affinity runs as its README says, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes.ports import free_port
from tests.harness import ROOT

DEMO = ROOT / "demos/model_affinity"
NAMES = ("PORT", "PROVIDER_PORT", "ROUTER_PORT")


@pytest.fixture
def env() -> dict[str, str]:
    """Free ports, no keys, and the programs of this Python first."""
    ports = {name: str(free_port()) for name in NAMES}
    return {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": "/nonexistent", "LANG": "C.UTF-8", **ports}


def test_it_prints_what_is_expected_and_stops_its_pool(env: dict[str, str]) -> None:
    said = _run(["./demo.sh"], env)

    assert said.stdout == (DEMO / "expected_output.txt").read_text(), said.stderr
    assert (said.returncode, said.stderr) == (0, "")
    assert _left(env["PROVIDER_PORT"]) == []


def test_a_taken_port_is_named(env: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", int(env["PORT"])))
        taken.listen()
        said = _run(["./demo.sh"], env)

    assert said.returncode == 1
    assert f"port {env['PORT']}: cannot be listened on" in said.stderr
    assert _left(env["PROVIDER_PORT"]) == []


def test_a_gateway_that_is_not_there_is_named(env: dict[str, str]) -> None:
    address = f"http://localhost:{env['PORT']}"

    said = _run([sys.executable, "demo.py", "--url", address], env)

    assert said.returncode == 1
    assert f"Could not reach Plano at {address}" in said.stderr


def _run(command: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=DEMO, env=env, capture_output=True, text=True, timeout=120, check=False)


def _left(port: str) -> list[psutil.Process]:
    """Processes that this run started: they have its port of the stand-in in their environment."""
    return [process for process in psutil.process_iter() if _environment(process).get("PROVIDER_PORT") == port]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
