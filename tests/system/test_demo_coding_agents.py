"""demos/coding_agents runs as its README says, with the agents that npm can install, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes import npm
from tests.harness import ROOT, still_running, wait_until

DEMO = ROOT / "demos/coding_agents"
WITHIN_S = 900


def _available(name: str) -> None:
    try:
        npm.installed(name)
    except npm.Unavailable as reason:
        pytest.skip(str(reason))


def _expected() -> dict[str, str]:
    """What is printed of each agent, by its name."""
    parts = (DEMO / "expected_output.txt").read_text().split("\n\n")
    return dict(zip(npm.AGENTS, (f"{part.strip()}\n" for part in parts), strict=False))


@pytest.mark.parametrize("agent", npm.AGENTS)
def test_each_agent_changes_hands_without_affinity_and_keeps_its_model_with_it(agent: str, tmp_path: Path) -> None:
    _available(agent)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    started: set[psutil.Process] = set()
    with (
        (tmp_path / "output").open("w") as output,
        subprocess.Popen(
            ["./demo.sh", agent], cwd=DEMO, env={**os.environ, "PATH": path}, stdout=output, stderr=subprocess.STDOUT
        ) as demo,
    ):
        try:
            wait_until(lambda: _ended(demo, started), within_s=WITHIN_S, what="the end of the demo")
        finally:
            demo.terminate()

    said = (tmp_path / "output").read_text()
    assert said.strip() == _expected()[agent].strip()
    assert demo.returncode == 0
    assert len(started) > 3
    assert still_running(started) == []


def test_the_readme_shows_what_is_expected() -> None:
    assert (DEMO / "expected_output.txt").read_text().strip() in (DEMO / "README.md").read_text()


def test_an_agent_that_nobody_knows_is_named() -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = subprocess.run(
        ["./demo.sh", "nobody"], cwd=DEMO, env=env, capture_output=True, text=True, timeout=120, check=False
    )

    assert said.returncode == 2
    assert "nobody is none of claude, codex, opencode" in said.stderr


def _ended(demo: "subprocess.Popen[bytes]", started: set[psutil.Process]) -> bool:
    if demo.poll() is not None:
        return True
    try:
        started.update(psutil.Process(demo.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return True
    return False
