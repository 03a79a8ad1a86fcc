"""One run: start, break, check."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.system.chaos import record, residue, schedule, timelines
from tests.system.chaos.allowances import Limits
from tests.system.chaos.checker import Run, violations
from tests.system.chaos.clients import Clients
from tests.system.chaos.world import BUDGET_S, DEFAULT, LISTENER_S, MODEL_S, OWN, ROUTES, TTL_S, World

SESSIONS, AT_ONCE = 200, 40


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run."""

    turns: int
    counts: Counter[str]
    """How many turns were pinned, fell back, and so on, and how often each fault happened."""
    violations: list[str]

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        lines = [f"{self.turns} turns: {counted}", *self.violations]
        return "\n".join(lines)


def run(folder: Path, balancer_name: str, *, seed: int, seconds: float) -> Report:
    """Break a pool for so long; `folder` keeps its logs and what happened.

    Four things are held against it: what its clients saw, what it left behind, what it still holds, and what it can
    say of its sessions.
    """
    with ExitStack() as stack:
        world = World(folder, stack, balancer_name)
        world.warm_up()
        before = residue.levels(world)
        clients = Clients(
            world.front, ROUTES, OWN, seed=random.Random(seed).randrange(1 << 30), sessions=SESSIONS, at_once=AT_ONCE
        )
        _break(world, clients, seed, seconds)
        left = [*residue.unwell(world), *residue.leaks(world, before), *residue.forgotten(world)]
        left += timelines.unexplained(world, clients.turns)
        moves = record.moves(text for name, text in world.logs() if name.startswith("web-"))
        faults = world.faults.all()
    record.write(folder / "turns.jsonl", clients.turns)
    record.write(folder / "faults.jsonl", faults)
    record.write(folder / "moves.jsonl", moves)
    limits = Limits(decision_s=BUDGET_S, model_s=MODEL_S, silence_s=LISTENER_S)
    checked = Run(
        turns=clients.turns, faults=faults, moves=moves, ttl_s=TTL_S, limits=limits, unrouted=(OWN, DEFAULT)
    )
    return Report(
        turns=len(clients.turns),
        counts=_counted(checked),
        violations=[*violations(checked), *left],
    )


def _break(world: World, clients: Clients, seed: int, seconds: float) -> None:
    plan = schedule.make(seed, seconds)
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(4, thread_name_prefix="lane") as lanes:
        under_way = [lanes.submit(world.follow, lane, until) for lane in (plan.processes, *plan.models)]
        under_way.append(lanes.submit(clients.run, until))
        for each in under_way:
            each.result()


def _counted(checked: Run) -> Counter[str]:
    counts: Counter[str] = Counter()
    for turn in checked.turns:
        counts["pinned"] += turn.pinned
        counts["streamed"] += turn.streamed
        counts["fell back"] += bool(turn.fallback)
        counts["degraded"] += bool(turn.degraded)
        counts["broken off"] += turn.answered and not turn.whole
        counts["errors"] += not turn.answered
    counts.update(f"{fault.part} {fault.kind}" for fault in checked.faults)
    counts["moves"] = len(checked.moves)
    return counts
