"""What is written down of a run, for the checker and for whoever reads it afterwards."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from tests.system.chaos.schedule import Step

Route = tuple[str, ...]
"""A route's candidates."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One request of a session, as its client saw it; times in seconds since the epoch."""

    session: str
    number: int
    route: Route
    """Of what the conversation is about, whether or not it could be found out."""
    streamed: bool
    began: float
    ended: float
    status: int | None = None
    """None: the connection broke before there was one."""
    ours: bool = False
    """Whether a replica answered, and not the balancer in its place."""
    model: str | None = None
    pinned: bool = False
    fallback: tuple[str, ...] = ()
    """The models that failed or sat out, with their outcome, in order."""
    degraded: str | None = None
    whole: bool = False
    """Whether the answer came to its proper end."""
    said: str = ""
    """How an answer ends that is not what it should be."""

    @property
    def request_id(self) -> str:
        """Under which the logs have it; its number is the last part."""
        return f"{self.session}.{self.number}"

    @property
    def answered(self) -> bool:
        """Whether a model has begun to answer it."""
        return self.status == 200


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A step of the schedule as it happened."""

    part: str
    kind: str
    target: str
    began: float
    ended: float = float("inf")
    """When all was well again."""

    def met(self, turn: Turn, after_s: float = 0.0) -> bool:
        """Whether it can have touched a request, or its end can, which lasts for so many seconds."""
        return self.began <= turn.ended and turn.began <= self.ended + after_s


@dataclass(frozen=True, kw_only=True)
class Move:
    """A replica's word that it moved a session's pin; exact to the second, rounded down."""

    session: str
    turn: int
    """The number of the turn whose request moved it."""
    to: str
    standing: str
    """What stood afterwards, whoever wrote it."""
    at: float


class Faults:
    """The faults so far; several threads write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all: list[Fault] = []

    @contextmanager
    def during(self, step: Step, target: str) -> Iterator[None]:
        """Write down a fault that lasts as long as this is entered."""
        with self._lock:
            number = len(self._all)
            self._all.append(Fault(part=step.part, kind=step.kind, target=target, began=time.time()))
        try:
            yield
        finally:
            with self._lock:
                self._all[number] = replace(self._all[number], ended=time.time())

    def all(self) -> list[Fault]:
        """All of them, in the order of their beginning."""
        with self._lock:
            return list(self._all)


_MOVED = re.compile(
    r"^(?P<at>\S+) info plano\.events: pin moved session=(?P<session>\S+) "
    r".* to=(?P<to>\S+) standing=(?P<standing>\S+) request_id=\S+\.(?P<turn>\d+)$",
    re.MULTILINE,
)


def moves(logs: Iterable[str]) -> list[Move]:
    """The moves that replicas have logged."""
    return [
        Move(
            session=found["session"],
            turn=int(found["turn"]),
            to=found["to"],
            standing=found["standing"],
            at=datetime.fromisoformat(found["at"]).timestamp(),
        )
        for text in logs
        for found in _MOVED.finditer(text)
    ]


def write(path: Path, records: Iterable[Turn] | Iterable[Fault] | Iterable[Move]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in records))
