"""demos/prompt_cache runs as its README says: the gateway's dollars are those of the provider's bill."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.ports import free_port
from tests.harness import ROOT, still_running, wait_until

DEMO = ROOT / "demos/prompt_cache"


@pytest.fixture
def env() -> dict[str, str]:
    """A free port, no keys, the programs of this Python first, and this tree's code."""
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    python = {"PYTHONPATH": str(ROOT)}
    return {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", "PORT": str(free_port()), **python}


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

    assert (tmp_path / "output").read_text() == (DEMO / "expected_output.txt").read_text()
    assert demo.returncode == 0
    assert len(started) > 5
    assert still_running(started) == []


def test_the_readme_shows_the_expected_output() -> None:
    assert (DEMO / "expected_output.txt").read_text() in (DEMO / "README.md").read_text()


def _ended(demo: "subprocess.Popen[Any]", started: set[psutil.Process]) -> bool:
    """Whether the demo has ended; adds to `started` what it runs now."""
    with contextlib.suppress(psutil.Error):
        started.update(psutil.Process(demo.pid).children(recursive=True))
    return demo.poll() is not None
