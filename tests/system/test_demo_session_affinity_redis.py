"""demos/session_affinity_redis runs as its README says: up, verify, by hand, down."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import ROOT

DEMO = ROOT / "demos/session_affinity_redis"
NAMES = ("PORT", "PROVIDER_PORT", "ROUTER_PORT", "WEB_PORT_1", "WEB_PORT_2", "WEB_PORT_3")
SBIN = "/usr/local/sbin:/usr/sbin"
EXPECTED = (DEMO / "expected_output.txt").read_text()

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Free ports, no keys, the programs of this Python first, and no Docker engine."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    ports = {name: str(free_port()) for name in NAMES}
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.defpath}"
    return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", **ports}


@pytest.fixture
def run(env: dict[str, str]) -> Iterator[Run]:
    """Runs a command in the demo's folder; afterwards the demo is down."""

    def command(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        environment = {**env, **more}
        return subprocess.run(
            words, cwd=DEMO, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    yield command
    command("./run_demo.sh", "down")


@pytest.mark.parametrize("balancer", ["haproxy", "none"])
def test_every_session_is_pinned_and_down_stops_everything(run: Run, env: dict[str, str], balancer: str) -> None:
    if balancer == "haproxy" and not shutil.which("haproxy", path=f"{env['PATH']}:{SBIN}"):
        pytest.skip("haproxy is not installed")

    up = run("./run_demo.sh", "up", BALANCER=balancer)
    shown = run("./verify_affinity.py", "--url", f"http://localhost:{env['PORT']}")
    started = _started(env["PROVIDER_PORT"])
    down = run("./run_demo.sh", "down")

    assert up.returncode == 0, up.stderr
    assert "No Docker engine runs: `plano up`" in up.stdout
    assert (f"HAProxy at port {env['PORT']}" in up.stdout) is (balancer == "haproxy")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == EXPECTED.replace("localhost:12000", f"localhost:{env['PORT']}")
    assert sum("web.wsgi:app" in " ".join(command) for command in started) >= (6 if balancer == "haproxy" else 4)
    assert any("redis-server" in command[0] for command in started)
    assert down.returncode == 0, down.stderr
    assert _started(env["PROVIDER_PORT"]) == []


def test_the_steps_by_hand_print_what_the_readme_shows(run: Run, env: dict[str, str]) -> None:
    if not shutil.which("jq", path=env["PATH"]):
        pytest.skip("jq is not installed")
    up = run("./run_demo.sh", "up")
    alias = re.search(r"alias redis-cli='(.*)'", up.stdout)
    assert alias, up.stdout + up.stderr
    program = f'redis-cli() {{ {alias[1]} "$@"; }}\n'

    by_hand = (DEMO / "README.md").read_text().split("## By hand")[1].split("## The headers")[0]
    *told, ttl_step, sessions_step = re.findall(r"```sh\n(.*?)```", by_hand, re.DOTALL)
    *wanted, sessions = re.findall(r"```(?:json)?\n(.*?)```", by_hand.replace("```sh\n", "```sh "), re.DOTALL)
    here = [step.replace("localhost:12000", f"localhost:{env['PORT']}") for step in (*told, ttl_step, sessions_step)]
    shown = [run("bash", "-euo", "pipefail", "-c", program + step) for step in here]

    assert [step.stdout for step in shown[:3]] == wanted
    assert 290 <= int(shown[3].stdout) <= 300
    assert shown[4].stdout == sessions
    assert len(shown) == 5


def test_another_word_is_answered_with_the_usage(run: Run) -> None:
    said = [run("./run_demo.sh", *words) for words in ((), ("start",), ("up", "down"))]

    assert [answer.returncode for answer in said] == [1, 1, 1]
    assert all(answer.stderr.startswith("usage: ./run_demo.sh up|down") for answer in said)


def test_a_second_up_changes_nothing(run: Run, env: dict[str, str]) -> None:
    run("./run_demo.sh", "up")
    before = _started(env["PROVIDER_PORT"])
    again = run("./run_demo.sh", "up")

    assert again.returncode == 1
    assert "it is up already" in again.stderr
    assert _started(env["PROVIDER_PORT"]) == before


def test_a_gateway_that_does_not_pin_fails_the_check(run: Run) -> None:
    """The stand-in provider itself takes the gateway's place: right answers, no header."""
    with Provider() as provider:
        shown = run("./verify_affinity.py", "--url", provider.url + "/chat/completions", "--sessions", "2")

    assert shown.returncode == 1
    assert "[NOT PINNED]" in shown.stdout
    assert shown.stdout.count("\n  FAIL  demo-session-") == 2
    assert "All sessions were pinned" not in shown.stdout


def test_a_gateway_that_refuses_fails_the_check(run: Run) -> None:
    with Provider() as provider:
        provider.behave("status", code=503)
        shown = run("./verify_affinity.py", "--url", provider.url + "/chat/completions")

    assert shown.returncode == 1
    assert "  FAIL  the gateway answered 503" in shown.stdout


def test_an_address_where_nobody_answers_is_named(run: Run, env: dict[str, str]) -> None:
    shown = run("./verify_affinity.py", "--url", f"http://localhost:{env['PORT']}")

    assert shown.returncode == 1
    assert f"http://localhost:{env['PORT']}/v1/chat/completions" in shown.stderr


def _started(port: str) -> list[list[str]]:
    """The commands of the processes that `up` started: its port of the stand-in is in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PROVIDER_PORT") == port:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return sorted(command for command in found if command)
