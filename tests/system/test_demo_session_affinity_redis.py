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
import yaml

from tests.fakes.curl import on_path
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import ROOT, still_running, wait_until

DEMO = ROOT / "demos/session_affinity_redis"
SBIN = "/usr/local/sbin:/usr/sbin"
EXPECTED = (DEMO / "expected_output.txt").read_text()

OPENAI = "https://api.openai.com/v1"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A free port, no keys, the programs of this Python first, and no Docker engine."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    path = on_path(tmp_path, f"{tmp_path}:{Path(sys.executable).parent}:{os.defpath}")
    return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", "PORT": str(free_port())}


@pytest.fixture
def run(env: dict[str, str]) -> Iterator[Run]:
    """Runs a command in the demo's folder; afterwards the demo is down."""

    def command(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        environment = {**env, **more}
        return subprocess.run(
            words, cwd=DEMO, env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    yield command
    command("./run_demo.sh", "down")


@pytest.mark.parametrize("balancer", ["haproxy", "none"])
def test_every_session_is_pinned_and_down_stops_everything(run: Run, env: dict[str, str], balancer: str) -> None:
    if balancer == "haproxy" and not shutil.which("haproxy", path=f"{env['PATH']}:{SBIN}"):
        pytest.skip("haproxy is not installed")

    up = run("./run_demo.sh", "up", BALANCER=balancer)
    shown = run("./verify_affinity.py", "--url", f"http://localhost:{env['PORT']}")
    started = _started(env["PORT"])
    commands = [" ".join(process.cmdline()) for process in started]
    down = run("./run_demo.sh", "down")

    assert up.returncode == 0, up.stderr
    assert "No Docker engine runs: `plano up`" in up.stdout
    assert (f"HAProxy at port {env['PORT']}" in up.stdout) is (balancer == "haproxy")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == EXPECTED.replace("localhost:12000", f"localhost:{env['PORT']}")
    parts = {"gunicorn", "redis-server", "-m workers", "-m tests.fakes", "haproxy" if balancer == "haproxy" else ""}
    assert all(any(part in command for command in commands) for part in parts), commands
    assert down.returncode == 0, down.stderr
    assert still_running(started) == []
    assert not (DEMO / ".run" / env["PORT"]).exists()


def test_the_steps_by_hand_print_what_the_readme_shows(run: Run, env: dict[str, str]) -> None:
    up = run("./run_demo.sh", "up")
    alias = re.search(r"alias redis-cli='(.*)'", up.stdout)
    assert alias, up.stdout + up.stderr
    program = f'redis-cli() {{ {alias[1]} "$@"; }}\n'

    by_hand = (DEMO / "README.md").read_text().split("## By hand")[1].split("## The headers")[0]
    blocks = re.findall(r"```(\w*)\n(.*?)```", by_hand, re.DOTALL)
    told = [text.replace("localhost:12000", f"localhost:{env['PORT']}") for kind, text in blocks if kind == "sh"]
    shown = [run("bash", "-euo", "pipefail", "-c", program + step).stdout for step in told]

    ttl_s = int(shown.pop(3))
    assert 200 < ttl_s <= 300
    assert shown == [text for kind, text in blocks if kind != "sh"]


@pytest.mark.parametrize("key", ["", "sk-of-the-test"])
def test_where_a_docker_engine_runs_compose_is_used(run: Run, env: dict[str, str], tmp_path: Path, key: str) -> None:
    """There is no engine in this test: what `docker` is asked is held against the compose file."""
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$* $OPENAI_BASE_URL" >>{tmp_path}/asked\n')
    (tmp_path / "readyz").touch()
    command = [sys.executable, "-m", "http.server", env["PORT"], "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as gateway:
        up = run("./run_demo.sh", "up", OPENAI_API_KEY=key)
        down = run("./run_demo.sh", "down")
        gateway.kill()

    services = yaml.safe_load((DEMO / "docker-compose.yml").read_text())["services"]
    asked = (tmp_path / "asked").read_text()
    assert (up.returncode, down.returncode) == (0, 0), up.stderr + down.stderr
    assert "A Docker engine runs: Docker Compose" in up.stdout
    assert ("real OpenAI" in up.stdout, "profile standins up" in asked) == (bool(key), not key)
    assert f"up --detach --build --wait --wait-timeout 180 {OPENAI if key else 'http://standins:12101/v1'}" in asked
    assert "profile standins down" in asked
    assert services.keys() == {"redis", "jaeger", "standins", "web", "worker", "clock", "haproxy"}
    assert services["web"]["deploy"] == {"replicas": 3}
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert all((DEMO / path).is_file() for path in mounted)


def test_another_word_is_answered_with_the_usage(run: Run) -> None:
    said = [run("./run_demo.sh", *words) for words in ((), ("start",), ("up", "down"))]

    assert [answer.returncode for answer in said] == [1, 1, 1]
    assert all(answer.stderr.startswith("usage: ./run_demo.sh up|down") for answer in said)


def test_a_second_up_changes_nothing(run: Run, env: dict[str, str]) -> None:
    run("./run_demo.sh", "up")
    before = wait_until(lambda: _complete(env["PORT"]), what="the third web process")
    again = run("./run_demo.sh", "up")

    assert again.returncode == 1
    assert "it is up already" in again.stderr
    assert set(_started(env["PORT"])) == before


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


def _complete(port: str) -> set[psutil.Process] | None:
    """All that was started, once all of it runs: where three web processes share a port, one may answer alone."""
    started = set(_started(port))
    masters = {process.pid for process in started if "web.wsgi:app" in process.cmdline()}
    return started if sum(process.ppid() in masters for process in started) == 3 else None


def _started(port: str) -> list[psutil.Process]:
    """`plano up` and all that it started."""
    pool = psutil.Process(int((DEMO / ".run" / port / "pid").read_text()))
    return [pool, *pool.children(recursive=True)]
