"""demos/session_pinning runs as its README says, prints what it promises and leaves nothing behind."""

import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.fakes.ports import free_port
from tests.harness import ROOT, STARTS_WITHIN_S, Process, wait_until
from tests.system.demo_scripts import CLEAN, MARK, as_documented, marked

DEMO = ROOT / "demos/session_pinning"
DOCUMENTED = {"PORT": "12000", "AGENT_PORT": "8000"}

Start = Callable[[str], Process]


@pytest.fixture
def ports() -> dict[str, str]:
    """A free port in the place of each documented one."""
    return {name: str(free_port()) for name in DOCUMENTED}


@pytest.fixture
def start(tmp_path: Path, ports: dict[str, str], mark: str) -> Start:
    """Runs a script of the demo in an environment without keys."""

    def run(script: str) -> Process:
        return Process([str(DEMO / script)], tmp_path / "output.log", {**CLEAN, **ports, MARK: mark})

    return run


def test_the_demo_prints_what_its_readme_shows(start: Start, ports: dict[str, str], mark: str) -> None:
    demo = start("demo.sh")

    wait_until(lambda: not demo.alive, within_s=240, what="the end of the demo")

    assert demo.stop() == 0, demo.text()
    assert as_documented(demo.text(), ports, DOCUMENTED) == (DEMO / "expected_output.txt").read_text()
    assert marked(mark) == []


def test_the_readme_shows_the_expected_output() -> None:
    assert (DEMO / "expected_output.txt").read_text() in (DEMO / "README.md").read_text()


def test_a_demo_that_is_stopped_half_way_leaves_nothing_running(start: Start, mark: str) -> None:
    demo = start("demo.sh")
    wait_until(lambda: "Gateway:" in demo.text() or not demo.alive, within_s=60, what="the gateway")

    code = demo.stop(signal.SIGTERM, within_s=30)

    assert code == 128 + signal.SIGTERM
    assert marked(mark) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_agents_stop_on_a_signal(start: Start, ports: dict[str, str], mark: str, number: int) -> None:
    agents = start("start_agents.sh")
    wait_until(lambda: healthy(ports["AGENT_PORT"]) or not agents.alive, within_s=STARTS_WITHIN_S, what="the agent")

    code = agents.stop(number)

    assert code == 128 + number
    assert marked(mark) == []


def test_a_taken_port_is_named_with_its_variable(start: Start, ports: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(ports["AGENT_PORT"]))):
        demo = start("demo.sh")
        wait_until(lambda: not demo.alive, what="the refusal")

    assert demo.stop() == 1
    assert f"port {ports['AGENT_PORT']} is in use; name another: AGENT_PORT=" in demo.text()


def healthy(port: str) -> bool:
    """Whether the agent answers."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=1).ok
    return False
