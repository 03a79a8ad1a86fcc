"""What the records of sessions cost web and Redis: `python -m bench.records`."""

import time
from collections.abc import Callable, Sequence

from bench import machine, report, stage
from bench.pinned_pool import CONNECTIONS, PinnedPool
from bench.report import Figures
from bench.stage import Stage
from shared.domain.decisions import Decision
from shared.domain.money import Prices, Usage
from shared.domain.pins import Pin
from shared.domain.ranking import Snapshot
from shared.domain.sessions import Session
from shared.errors import StoreDown
from shared.store import keys
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.sessions.records import RecordStore
from web.ops import metrics
from web.ops.sessions.records import SessionRecords
from web.ops.sessions.switch_explanations import Switch

QUESTION = "What do a session's records cost a pinned request in web's and in Redis's processor time, and in memory?"
TTL_S, KEPT_S = 600, 86400
MODEL = "openai/gpt-4o-mini"
DECISION = Decision(models=(MODEL,), route="code", pinned=True, pin=Pin(model_name=MODEL, route_name="code"))
USAGE = Usage(input=120, cached=4800, output=350)
CASES = {"1 turn a second": (1000, 1), "20 turns a second": (100, 20), "10,000 sessions": (10_000, 1)}
"""Sessions of a second, and turns of each."""
ANSWER = "a pinned answer"
TARGETS = {
    "1 turn a second": {
        "percent_of_a_pinned_answer": "≤ 3",
        "redis_bytes_per_session": "≤ 2,048",
        "redis_bytes_per_turn": "≤ 20",
    },
    "20 turns a second": {"percent_of_a_pinned_answer": "≤ 3"},
}


class _Known:
    def snapshot(self) -> Snapshot:
        return Snapshot(prices={MODEL: Prices(0.15, 0.6, 0.075)})


class _Watch:
    """Sessions here begin without a decision; a pool has none for its watch to look at."""

    def note(self, switch: Switch) -> None:
        """Let it be."""

    def look(self) -> None:
        """Look at nothing."""


class Process:
    """What a web process gathers, without the requests around it; and what a request costs with all of it."""

    def __init__(self, built: Stage, seconds: int) -> None:
        self._pool = PinnedPool(built)
        self._pool.warm_up(stage.CHAT)
        self._load_s = seconds
        self._answer_us = 0.0
        self._redis = built.redis
        self._redis_s: Callable[[], float] = built.redis_processor_s
        endpoint = RedisEndpoint(f"redis://127.0.0.1:{built.redis_port}", name="redis", connections=1, silence_s=9.0)
        store = RecordStore(endpoint.client(StoreDown), session_ttl_s=TTL_S, kept_s=KEPT_S)
        self._records = SessionRecords(store, _Watch(), metrics, _Known())
        self._seconds = 0

    def answer(self) -> Figures:
        """What a pinned proxied answer costs web, its record included; what follows is compared with it."""
        done, used_s = self._pool.ask(stage.CHAT, self._load_s)
        self._answer_us = used_s["web"] / done.requests * 1e6
        return {"web_us_per_request": self._answer_us}

    def second(self, sessions: int, turns: int) -> Figures:
        """What so many sessions with so many turns each cost in a second."""
        self._seconds += 1
        every = [Session(f"bench-{n}", "team") for n in range(sessions)]
        self._gathered(every, 1)
        self._records.flush()  # now there are records
        before = self._bytes(every[:100])
        gathered_s = self._gathered(every, turns)
        redis_s, began = self._redis_s(), time.process_time()
        self._records.flush()
        flushed_s, redis_s = time.process_time() - began, self._redis_s() - redis_s
        after = self._bytes(every[:100])
        requests = sessions * turns
        web_us = (gathered_s + flushed_s) / requests * 1e6
        return {
            "gather_us_per_request": gathered_s / requests * 1e6,
            "flush_us_per_session": flushed_s / sessions * 1e6,
            "web_us_per_request": web_us,
            "percent_of_a_pinned_answer": web_us / self._answer_us * 100,
            "redis_us_per_session": redis_s / sessions * 1e6,
            "redis_bytes_per_session": after / 100,
            "redis_bytes_per_turn": max(0.0, (after - before) / 100 / turns),
        }

    def _gathered(self, every: Sequence[Session], turns: int) -> float:
        began = time.process_time()
        for _ in range(turns):
            for session in every:
                self._records.served(session, DECISION, MODEL, time.time())
                self._records.used(session, MODEL, USAGE)
        return time.process_time() - began

    def _bytes(self, some: Sequence[Session]) -> int:
        names = [name for session in some for name in (keys.record(session), keys.events(session))]
        return sum(self._redis.memory_usage(name) or 0 for name in names)


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=5, seconds=3)
    with stage.stage(limit_s=120 + 5 * asked.runs * asked.seconds) as built, machine.on(stage.others()):
        process = Process(built, asked.seconds)
        sides = {name: lambda case=case: process.second(*case) for name, case in CASES.items()}
        results = report.interleaved({ANSWER: process.answer, **sides}, asked.runs, TARGETS)
    setting = {"records": "gathered in one process, without requests", "connections of a pinned answer": CONNECTIONS}
    report.publish("records", QUESTION, asked.runs, results, setting)


if __name__ == "__main__":
    main()
