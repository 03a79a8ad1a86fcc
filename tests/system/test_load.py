"""Many clients at once: nothing hangs, no session is split, and nobody is served by a model of last resort."""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.system import balancers
from tests.system.load.counts import count, examples
from tests.system.load.run import run
from tests.system.load.scenarios import Scenario, Web

pytestmark = pytest.mark.alone
REPLICAS: Web = "two replicas"
SCENARIOS = [
    Scenario(name="bursts_of_two", web="one process", sessions=60, at_once=2, rounds=12),
    Scenario(name="bursts_of_six", web=REPLICAS, sessions=30, at_once=6, rounds=5),
    Scenario(name="first_150", web="two processes", sessions=150, rounds=3),
    Scenario(name="first_200", web="two processes", sessions=200, rounds=3),
    Scenario(name="agents_100", web=REPLICAS, sessions=100, turns=10),
    Scenario(name="agents_100", web=REPLICAS, sessions=100, turns=10, busy=True),
    *(Scenario(name="agents_100", web=REPLICAS, sessions=100, turns=10, balancer=each) for each in balancers.NAMES),
    Scenario(name="agents_200", web=REPLICAS, sessions=200, turns=10),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title.replace(" ", "_"))
def test_whoever_comes_at_once_is_routed_and_stays_on_one_model(
    scenario: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if scenario.balancer and not balancers.program(scenario.balancer):
        pytest.skip(f"{scenario.balancer} is not installed")

    turns = run(scenario, tmp_path)

    counts = count(turns)
    told = f"{scenario.title}: {', '.join(f'{value:.0f} {name}' for name, value in asdict(counts).items())}"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert counts.clean, "\n".join([told, *examples(turns), f"logs in {tmp_path}"])
    assert counts.requests == scenario.requests
