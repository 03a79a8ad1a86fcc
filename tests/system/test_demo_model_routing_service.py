"""demos/model_routing_service runs as its README says, prints what it promises and leaves nothing behind."""

import re
from pathlib import Path

from tests.fakes.curl import on_path
from tests.fakes.ports import free_port
from tests.harness import ROOT, Process, wait_until
from tests.system.demo_scripts import CLEAN, MARK, as_documented, marked

DEMO = ROOT / "demos/model_routing_service"
DOCUMENTED = {"PORT": "12000"}
TRACE_ID = re.compile(r'(?<="trace_id": ")[0-9a-f]{32}(?=")')


def test_the_demo_prints_each_request_and_its_decision(tmp_path: Path, mark: str) -> None:
    ports = {name: str(free_port()) for name in DOCUMENTED}
    env = {**CLEAN, **ports, "PATH": on_path(tmp_path, CLEAN["PATH"]), MARK: mark}

    demo = Process([str(DEMO / "demo.sh")], tmp_path / "output.log", env)
    wait_until(lambda: not demo.alive, within_s=240, what="the end of the demo")

    assert demo.stop() == 0, demo.text()
    told = TRACE_ID.sub("0" * 32, as_documented(demo.text(), ports, DOCUMENTED))
    assert told == (DEMO / "expected_output.txt").read_text()
    assert marked(mark) == []
