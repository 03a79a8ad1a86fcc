"""demos/model_routing_service runs as its README says, prints what it promises and leaves nothing behind."""

import contextlib
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.curl import on_path
from tests.fakes.ports import free_port
from tests.harness import ROOT, Process, wait_until

DEMO = ROOT / "demos/model_routing_service"
BIN = Path(sys.executable).parent
CLEAN = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
DOCUMENTED = {"PORT": "12000"}
UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
TRACE_ID = re.compile(r'(?<="trace_id": ")[0-9a-f]{32}(?=")')


@pytest.fixture
def mark() -> Iterator[str]:
    """A variable by which everything that the demo starts is known; what is left at the end is killed."""
    name = uuid.uuid4().hex
    yield name
    for process in marked(name):
        process.kill()


def test_the_demo_prints_each_request_and_its_decision(tmp_path: Path, mark: str) -> None:
    ports = {name: str(free_port()) for name in DOCUMENTED}
    env = {**CLEAN, **ports, "PATH": on_path(tmp_path, CLEAN["PATH"]), "STARTED_BY": mark}

    demo = Process([str(DEMO / "demo.sh")], tmp_path / "output.log", env)
    wait_until(lambda: not demo.alive, within_s=240, what="the end of the demo")

    assert demo.stop() == 0, demo.text()
    assert normalised(demo.text(), ports) == (DEMO / "expected_output.txt").read_text()
    assert marked(mark) == []


def normalised(text: str, ports: dict[str, str]) -> str:
    """The text as it is with the documented ports and ids of zeros."""
    for name, port in ports.items():
        text = re.sub(rf"\b{port}\b", DOCUMENTED[name], text)
    return TRACE_ID.sub("0" * 32, UUID.sub(str(uuid.UUID(int=0)), text))


def marked(name: str) -> list[psutil.Process]:
    """The processes that run with the mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("STARTED_BY") == name:
                found.append(process)
    return found
