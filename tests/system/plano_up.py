"""`plano up` as tests run it: by its own command, in an environment that knows nothing of the machine's."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.ports import free_port
from tests.harness import ROOT, STARTS_WITHIN_S, Process, wait_until

PLANO = str(Path(sys.executable).with_name("plano"))
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
MEMORY = """
version: v0.4.0
model_providers: [{model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:9/v1", default: true}]
routing: {session_cache: {type: memory}}
"""
"""One process, which is up soonest."""
REDIS = MEMORY.replace("type: memory", "type: redis")


@contextlib.contextmanager
def pool_of_make_run(folder: Path, more: str = "") -> Iterator[tuple[Process, int]]:
    """The pool of `make run` with more lines in its Procfile, from when it says that it is ready; and its port."""
    port, demo = free_port(), ROOT / "demos/local"
    (folder / "Procfile").write_text((demo / "Procfile").read_text() + more)
    command = [PLANO, "up", str(demo / "config.yaml"), "--also", str(folder / "Procfile"), "--port", str(port)]
    with ready(Process(command, folder / "up.log", {**CLEAN, "PYTHONPATH": str(ROOT)})) as process:
        yield process, port


@contextlib.contextmanager
def memory_pool(folder: Path, more: str = "", config: str = MEMORY, **env: str) -> Iterator[tuple[Process, int]]:
    """One web process in memory mode, beside what these lines of a Procfile start; and its port."""
    command = memory_command(folder, port := free_port(), more, config)
    with ready(Process(command, folder / "up.log", {**CLEAN, **env})) as process:
        yield process, port


def memory_command(folder: Path, port: int, more: str = "", config: str = MEMORY) -> list[str]:
    """How to start one web process in memory mode, beside what these lines of a Procfile start."""
    (folder / "config.yaml").write_text(config)
    (folder / "Procfile").write_text(more)
    return [PLANO, "up", str(folder / "config.yaml"), "--also", str(folder / "Procfile"), "--port", str(port)]


@contextlib.contextmanager
def ready(process: Process) -> Iterator[Process]:
    """The process, from when it says that it is ready; stopped at the end."""
    try:
        wait_until(
            lambda: "plano is ready" in process.text() or not process.alive, within_s=STARTS_WITHIN_S, what="the pool"
        )
        assert process.alive, process.text()
        yield process
    finally:
        if process.alive:
            process.stop()


def refused(folder: Path, config: str, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """What is said when nothing is to start."""
    (folder / "config.yaml").write_text(config)
    return plano("up", str(folder / "config.yaml"), *arguments, **env)


def plano(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """What the command prints."""
    return subprocess.run(
        [PLANO, *arguments],
        env={**CLEAN, **env},
        capture_output=True,
        text=True,
        timeout=STARTS_WITHIN_S,
        check=False,
    )
