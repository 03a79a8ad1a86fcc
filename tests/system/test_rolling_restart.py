"""A deployment restarts every replica, one after the other, and no client can tell."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.provider import Provider
from tests.harness import Pool, wait_until
from tests.system.rolling import DRAIN_DELAY_S, PROVIDER_PAUSE_S, Load, Replicas, pin_sessions


def test_a_rolling_restart_loses_no_request_and_truncates_no_stream(
    start: Callable[..., Pool],
    provider: Provider,
    balancer_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool = start()
    with ExitStack() as stack:
        replicas = Replicas(pool, tmp_path, stack, balancer_name)
        models = pin_sessions(replicas.front)
        provider.pause = PROVIDER_PAUSE_S

        with Load(replicas.front, models) as load:
            wait_until(lambda: load.streams, what="the first stream's end")
            held_s = [replicas.restart(port) for port in replicas.ports]
            streams = load.streams
            wait_until(lambda: load.streams >= streams + 4, what="streams after the last restart")

    with capsys.disabled():
        sys.stdout.write(
            f"\nrolling restart behind {balancer_name}: {load}; the ends took {[round(s, 1) for s in held_s]} s\n"
        )
    assert (load.lost, load.truncated, load.moved) == ([], [], [])
    assert len(set(models.values())) == 2
    assert max(held_s) > DRAIN_DELAY_S + 0.5, "no stream was under way when its replica stopped listening"
    assert load.requests > 200
    assert load.streams > 20
