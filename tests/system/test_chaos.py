"""Whatever is killed, frozen or restarted: clients get what is promised, or an event explains why not."""

import os
import sys
from pathlib import Path

import pytest

from tests.system.balancers import NAMES
from tests.system.chaos.run import run

pytestmark = pytest.mark.alone
SECONDS = float(os.environ.get("CHAOS_SECONDS") or 60)
"""Longer than a session lasts there; `make chaos` goes on for as long as one likes."""
SEED = 7
TURNS_PER_S = 10
"""Far fewer than any machine makes: it only says that the clients were not all stuck."""


def test_no_fault_breaks_a_promise(balancer_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another seed behind each balancer: in so short a time not every kind of fault has its turn."""
    seed = int(os.environ.get("CHAOS_SEED") or SEED + NAMES.index(balancer_name))

    report = run(tmp_path, balancer_name, seed=seed, seconds=SECONDS)

    replay = f"python -m tests.system.chaos --balancer {balancer_name} --seconds {SECONDS:g} --seed {seed}"
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}, behind {balancer_name}: {report}\n")
    assert not report.violations, f"replay with: {replay}\nlogs in {tmp_path}\n{report}"
    assert report.turns > SECONDS * TURNS_PER_S
    assert report.counts["pinned"] > report.turns / 4
