"""The queue and its workers, as an operator sees them."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis
from rq.registry import StartedJobRegistry
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from shared.store.jobs.workers import HEARTBEAT_TTL_S

_PREFIX = b"rq:worker:"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A worker, as its sign of life shows it."""

    name: str
    host: str = ""
    pid: int = 0
    since: float | None = None
    """When it began, in seconds since the epoch."""
    age_s: float = 0.0
    """How old the sign of life is."""


class QueueView:
    """Knows how many jobs wait and run, and which workers live. Every method raises QueueDown."""

    def __init__(self, client: redis.Redis, queue: str) -> None:
        """`queue` is the name of the queue."""
        self._redis = client
        self._waiting = f"rq:queue:{queue}"
        self._running = StartedJobRegistry.key_template.format(queue)
        self._workers = WORKERS_BY_QUEUE_KEY % queue

    def depth(self) -> tuple[int, int]:
        """How many jobs wait, and how many run; in one round trip."""
        with self._redis.pipeline(transaction=False) as together:
            together.llen(self._waiting)
            together.zcard(self._running)
            waiting, running = together.execute()
        return int(waiting), int(running)

    def workers(self) -> list[Seen]:
        """The workers that live, by their names; in two round trips."""
        names: Any = self._redis.smembers(self._workers)
        known = sorted(name for name in names if name.startswith(_PREFIX))
        with self._redis.pipeline(transaction=False) as together:
            for name in known:
                together.hgetall(name)
                together.pttl(name)
            answers = together.execute(raise_on_error=False)
        rows = zip(known, answers[::2], answers[1::2], strict=True)
        return [_seen(name, facts, left_ms) for name, facts, left_ms in rows if isinstance(facts, dict) and facts]


def _seen(name: bytes, facts: Mapping[bytes, bytes], left_ms: int) -> Seen:
    texts = {field.decode("utf-8", "replace"): value.decode("utf-8", "replace") for field, value in facts.items()}
    pid = texts.get("pid", "")
    return Seen(
        name=name.removeprefix(_PREFIX).decode("utf-8", "replace"),
        host=texts.get("hostname", ""),
        pid=int(pid) if pid.isascii() and pid.isdecimal() else 0,
        since=_epoch_s(texts.get("birth", "")),
        age_s=max(0.0, HEARTBEAT_TTL_S - left_ms / 1000),
    )


def _epoch_s(text: str) -> float | None:
    """A time as RQ writes it, `2026-01-31T12:00:00.000000Z`."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    return None
