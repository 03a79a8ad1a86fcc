"""Greedy clients: 64 agents go on beside all attacks at once, health answers, and no process grows without bound.

This asserts no time but that of health, and that three times as long as promised: other tests run beside it.
`make attack`, on a machine that does nothing else, exits with 1 when an agent's request fails or the agents' p99 more
than doubles, when health takes more than a second, or when a process has more than 400 MB.
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
