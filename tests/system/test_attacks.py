"""Greedy clients: 64 agents go on beside all attacks at once, health answers, and no process grows without bound.

How much slower the agents become is for `python -m tests.system.attack`, on a machine that does nothing else.
"""

from pathlib import Path

import pytest

from tests.system.attack.attacker import ATTACKS
from tests.system.attack.run import run
from tests.system.load.counts import examples

pytestmark = pytest.mark.alone
HEALTH_S = 3.0  # promised is one second; a machine that runs other tests, too, takes longer for anything
MEMORY_MB = 400


def test_greedy_clients_hurt_nobody_else(tmp_path: Path) -> None:
    report = run(tuple(ATTACKS), tmp_path)

    assert report.beside.clean, "\n".join([str(report.beside), *examples(report.turns)])
    assert report.health_max_s < HEALTH_S
    assert report.memory_mb < MEMORY_MB
