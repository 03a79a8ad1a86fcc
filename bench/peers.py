"""How ours does beside other gateways: `python -m bench.peers`."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import load, machine, report, stage
from bench.peer_recipes import INSTALL_S, PEERS, Absent, Peer
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port
from tests.harness import Process

QUESTION = (
    "How many requests of a standing session does each gateway relay in a second at 32 connections, "
    "one worker on one core?"
)
OURS = "plano-affinity"
START_S = 120
WARM_UP_S = 3
TARGETS = {peer.name: {"ours_over_this": peer.target} for peer in PEERS if peer.target}
_BODY = stage.BODY  # the model's name is known to all of them


def main() -> None:
    """Measure and publish; a peer that is not there is in the table with the reason."""
    asked = report.options(QUESTION, runs=5, seconds=4, add=_more)
    cache: Path = asked.cache
    limit_s = 120 + len(PEERS) * (2 * INSTALL_S + START_S) + 12 * len(PEERS) * asked.runs * asked.seconds
    with stage.stage(limit_s=limit_s) as built, machine.on(stage.others()):
        peers = _Peers(built, cache, asked.seconds)
        sides: dict[str, Callable[[], Figures]] = {OURS: peers.ours}
        for peer in PEERS:
            if peers.start(peer):
                sides[peer.name] = partial(peers.ask, peer)
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {
        "connections": CONNECTIONS,
        "seconds": asked.seconds,
        "peers": {
            peer.name: f"{peer.package} {peers.versions.get(peer.name, '')}: {peer.settings}" for peer in PEERS
        },
    }
    report.publish("peers", QUESTION, asked.runs, results, setting, absent=peers.absent)


class _Peers:
    """One process of each, all on the core that ours has in its turn."""

    def __init__(self, built: Stage, cache: Path, seconds: int) -> None:
        self._built = built
        self._cache = cache
        self._seconds = seconds
        self._pool = PinnedPool(built)
        self._pool.warm_up(stage.CHAT)
        self._facts = {
            "one": built.stand_in().port,
            "two": built.stand_in().port,
            "redis": built.redis_port,
        }
        self._running: dict[str, tuple[Process, int, list[bytes]]] = {}
        self._ours_per_s = 0.0
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}

    def start(self, peer: Peer) -> bool:
        """Install, start and warm up; whether that worked, else `absent` says why not."""
        port, spare = free_port(), free_port()
        try:
            self.versions[peer.name] = peer.installed(self._cache)
            command, env = peer.started_by(self._cache, self._built.folder, port=port, spare=spare, **self._facts)
            process = stage.on_own_core(lambda: self._built.process(command, port, env, within_s=START_S))
            asks = [
                load.post(stage.CHAT, _BODY, **peer.headers_of(f"bench-session-{n}", **self._facts))
                for n in range(len(self._pool.sessions))
            ]
            # Singly at first, since a session must have begun before it can be kept.
            load.once(port, asks, connections=1, seconds=30)
            load.loop(port, asks, connections=CONNECTIONS, seconds=WARM_UP_S)
        except (Absent, load.Failed) as error:
            self.absent[peer.name] = str(error)
            return False
        self._running[peer.name] = process, port, asks
        return True

    def ours(self) -> Figures:
        """What the peers of the same run are compared with."""
        done, used_s = self._pool.ask(stage.CHAT, self._seconds)
        self._ours_per_s = done.requests_per_s
        return {**report.speed(done), "processor_ms_per_request": used_s["web"] * 1000 / done.requests}

    def ask(self, peer: Peer) -> Figures:
        """A peer; nothing, and the reason in `absent`, when it failed."""
        process, port, asks = self._running[peer.name]
        meter = stage.Meter(peer=stage.of(process))
        try:
            done = load.loop(port, asks, connections=CONNECTIONS, seconds=self._seconds)
        except load.Failed as error:
            self.absent[peer.name] = f"a run failed: {error}"
            return {}
        return {
            **report.speed(done),
            "processor_ms_per_request": meter.read()["peer"] * 1000 / done.requests,
            "rss_mb": machine.rss_mb(process.pid),
            "ours_over_this": self._ours_per_s / done.requests_per_s,
        }


def _more(parser: argparse.ArgumentParser) -> None:
    default = Path(tempfile.gettempdir()) / "peers"
    parser.add_argument("--cache", type=Path, default=default, help="where peers are installed (%(default)s)")


if __name__ == "__main__":
    main()
