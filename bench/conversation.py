"""What a long conversation costs a pinned session: `python -m bench.conversation`."""

import json

from bench import load, machine, report, stage
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures

QUESTION = (
    "How much more processor time does web take for a pinned conversation of 100 KB or 1 MB than for one of 1 KB?"
)
SHORT_BYTES, LONG_BYTES, LARGE_BYTES = 1_000, 100_000, 1_000_000
TARGETS = {
    "100 KB": {"added_processor_ms_per_request": "≤ 0.3"},
    "1 MB": {"web_processor_ms_per_request": "≤ 2"},
}

_TURN = 'Look at this:\n\tdef f(x): return "x" + x  # naïve\n' * 20


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3)
    with stage.stage(limit_s=60 + 15 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        sizes = _Sizes(PinnedPool(built), asked.seconds)
        results = report.interleaved(
            {"1 KB": sizes.short, "100 KB": sizes.long, "1 MB": sizes.large}, asked.runs, TARGETS
        )
    setting = {"connections": CONNECTIONS, "seconds": asked.seconds, "answer": "proxied"}
    report.publish("conversation", QUESTION, asked.runs, results, setting)


class _Sizes:
    """The same sessions with a short and a long conversation."""

    def __init__(self, pool: PinnedPool, seconds: int) -> None:
        self._pool = pool
        self._seconds = seconds
        self._short_ms = 0.0
        pool.warm_up(stage.CHAT)

    def short(self) -> Figures:
        """What the long one of the same run is compared with."""
        found = self._measured(SHORT_BYTES)
        self._short_ms = found["web_processor_ms_per_request"]
        return found

    def long(self) -> Figures:
        """And by how much it costs more."""
        found = self._measured(LONG_BYTES)
        return {**found, "added_processor_ms_per_request": found["web_processor_ms_per_request"] - self._short_ms}

    def large(self) -> Figures:
        """A conversation ten times as long."""
        return self._measured(LARGE_BYTES)

    def _measured(self, size: int) -> Figures:
        done, used_s = self._pool.send(_asks(self._pool.sessions, size), self._seconds)
        return {**report.speed(done), "web_processor_ms_per_request": used_s["web"] * 1000 / done.requests}


def _asks(sessions: list[str], size: int) -> list[bytes]:
    """Proxied requests whose conversation, turn by turn, has about this many bytes."""
    turn = {"role": "user", "content": _TURN[: min(size, 1_000)]}
    turns = [turn] * max(1, size // len(json.dumps(turn)))
    body = {"model": "openai/gpt-4o-mini", "messages": turns}
    return [load.post(stage.CHAT, body, X_Model_Affinity=session) for session in sessions]


if __name__ == "__main__":
    main()
