"""How `plano up` ends, and that nothing of it stays."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.fakes.ports import free_port
from tests.harness import still_running, wait_until
from tests.system.plano_up import CLEAN, memory_command, memory_pool, pool_of_make_run

SLOW = "slow: trap 'sleep 6; echo has ended by itself; exit 0' TERM; echo slow waits; while :; do sleep 0.1; done\n"
STUBBORN = "stubborn: trap '' TERM; echo stubborn waits; while :; do sleep 0.1; done\n"


def test_sigterm_stops_everything_it_started(tmp_path: Path) -> None:
    with pool_of_make_run(tmp_path) as (process, port), _nothing_left_of(process.pid):
        kept_open = requests.Session()
        kept_open.get(f"http://127.0.0.1:{port}/livez", timeout=5)

        code = process.stop(signal.SIGTERM)

    kept_open.close()
    assert code == 0
    assert "SIGKILL" not in process.text()


def test_each_process_has_its_grace_and_none_has_more(tmp_path: Path) -> None:
    """A worker lets decisions under way end for 8 s; who never ends must not keep the others."""
    with memory_pool(tmp_path, SLOW + STUBBORN) as (process, _):
        wait_until(lambda: "slow waits" in process.text() and "stubborn waits" in process.text())
        with _nothing_left_of(process.pid):
            code = process.stop(signal.SIGTERM)

    assert code == 0
    assert "has ended by itself" in process.text()
    assert re.findall(r"sending SIGKILL to (\w+)", process.text()) == ["stubborn"]


@pytest.mark.parametrize("last_line", ["started", "plano is ready"])
def test_it_ends_when_nobody_reads_its_output_any_more(tmp_path: Path, last_line: str) -> None:
    """As in `plano up | head`, while it starts and afterwards."""
    command = memory_command(tmp_path, free_port())
    with subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout
        assert up.stderr
        next(line for line in up.stdout if last_line in line)
        with _nothing_left_of(up.pid):
            up.stdout.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                up.wait(15)
            code = up.poll()
            up.kill()
        said = up.stderr.read()

    assert (code, said) == (0, "")


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path) -> None:
    with memory_pool(tmp_path) as (process, _), _nothing_left_of(process.pid):
        code = process.stop(signal.SIGHUP)

    assert code == 0


@contextlib.contextmanager
def _nothing_left_of(pid: int) -> Iterator[None]:
    """What a process has started by now must have ended at the end; it is killed if it has not."""
    started = psutil.Process(pid).children(recursive=True)
    yield
    left = still_running(started)
    for process in left:
        process.kill()
    assert left == []
