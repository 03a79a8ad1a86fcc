"""What goes wrong, in which order: all of it follows from the seed.

Three lanes run at once, each one step after another: in one a process is away, in two a model fails. So at any
moment at most one process and two of the four models are out, and of those at most one hangs.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MODELS = ("one/alpha", "two/beta", "three/gamma", "four/delta")
REPLICAS, WORKERS = 3, 2


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that goes wrong."""

    after_s: float
    """The pause since all was well again in this lane."""
    part: str
    """web, worker, redis or model."""
    kind: str
    """kill, crash (gunicorn's child alone), freeze, restart; of a model a kind of fault, a status as its number."""
    target: int
    for_s: float


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The lanes; each has more steps than there is time for."""

    processes: Sequence[Step]
    models: tuple[Sequence[Step], Sequence[Step]]


# Redis is away rarely and briefly: shorter than the budget of a decision. A frozen replica is back before the time
# that its requests have left for another model is over.
_PROCESSES = (
    ("web", "kill", 0.2, 2.5),
    ("web", "kill", 0.2, 2.5),
    ("web", "crash", 0.0, 0.0),
    ("web", "freeze", 0.2, 0.6),
    ("web", "freeze", 0.2, 0.6),
    ("web", "restart", 0.0, 0.5),
    ("worker", "kill", 0.2, 2.0),
    ("worker", "freeze", 0.3, 3.0),
    ("worker", "restart", 0.0, 0.5),
    ("redis", "freeze", 0.1, 1.2),
    ("redis", "freeze", 0.1, 1.2),
    ("redis", "kill", 0.0, 1.0),
)
_HOW_MANY = {"web": REPLICAS, "worker": WORKERS, "redis": 1}
_FAULTS = ("429", "500", "half_stream", "close", "hang")
_LANES = (((0, 2), _FAULTS), ((1, 3), _FAULTS[:-1]))


def make(seed: int, seconds: float) -> Schedule:
    """The schedule of a seed."""
    chance = random.Random(seed)
    processes = _filled(_process_steps(random.Random(chance.random())), seconds)
    first, second = (_filled(_model_steps(random.Random(chance.random()), *lane), seconds) for lane in _LANES)
    return Schedule(processes=processes, models=(first, second))


def _filled(steps: Iterator[Step], seconds: float) -> list[Step]:
    taken: list[Step] = []
    while sum(step.after_s + step.for_s for step in taken) < seconds:
        taken.append(next(steps))
    return taken


def _process_steps(chance: random.Random) -> Iterator[Step]:
    while True:  # like cards: each kind comes before any of them comes again
        for part, kind, least_s, most_s in chance.sample(_PROCESSES, len(_PROCESSES)):
            yield Step(
                after_s=chance.uniform(0.5, 2.0),
                part=part,
                kind=kind,
                target=chance.randrange(_HOW_MANY[part]),
                for_s=chance.uniform(least_s, most_s),
            )


def _model_steps(chance: random.Random, targets: tuple[int, ...], kinds: tuple[str, ...]) -> Iterator[Step]:
    while True:
        for kind in chance.sample(kinds, len(kinds)):
            yield Step(
                after_s=chance.uniform(0.5, 3.0),
                part="model",
                kind=kind,
                target=chance.choice(targets),
                for_s=chance.uniform(0.3, 3.0),
            )
