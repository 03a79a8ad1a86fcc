"""Whether the pool itself can say why its sessions changed their models."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import redis

from tests.harness import wait_until
from tests.system.chaos.record import Fault, Turn
from tests.system.chaos.world import World

Event = tuple[float, str, str]
"""When it happened, what, and which model it names."""

_TOLD_WITHIN_S = 15
_TOLERANCE_S = 5.0
"""How far an event may be from the turn that it explains: a lost one is told by the session's next turn."""
_LAST_S = 6.0
"""What is lost with a process that is killed: its last second, and the events of others that it was waiting for."""


def unexplained(world: World, turns: Sequence[Turn]) -> list[str]:
    """What replicas have counted as unexplained, and changes of a model without an event in their timelines."""
    found = [
        f"{name}: {line}"
        for name, text in world.logs()
        for line in text.splitlines()
        if name.startswith("web-") and "unexplained switch" in line
    ]
    changes = list(_changes(turns, world.faults.all()))

    def untold() -> list[str]:
        with world.redis.client() as client:
            return [told for before, turn in changes if (told := _untold(client, before, turn))]

    try:
        wait_until(lambda: not untold(), within_s=_TOLD_WITHIN_S)
    except AssertionError:
        found += untold()
    return found


def _changes(turns: Iterable[Turn], faults: Sequence[Fault]) -> Iterator[tuple[Turn, Turn]]:
    """Each turn that another model than the one before has answered, behind that one.

    What was written before Redis was killed is gone. What happened just before it froze, or before a replica was
    killed, may be told by a later turn only.
    """
    sessions: dict[str, list[Turn]] = defaultdict(list)
    for turn in sorted(turns, key=lambda each: each.began):
        if turn.answered and turn.model and not turn.degraded:
            sessions[turn.session].append(turn)
    emptied = max((fault.ended for fault in faults if (fault.part, fault.kind) == ("redis", "kill")), default=0.0)
    broken = [fault for fault in faults if fault.part in {"redis", "web"}]
    for its_turns in sessions.values():
        for before, turn in pairwise(its_turns):
            late = any(fault.began <= turn.ended + _LAST_S and fault.ended >= before.began for fault in broken)
            if turn.model != before.model and before.began > emptied and not late:
                yield before, turn


def _untold(client: redis.Redis, before: Turn, turn: Turn) -> str | None:
    """What is wrong with the timeline of a session whose model has changed.

    An event names the model, or says that the other one has served but once.
    """
    lines = client.lrange(f"plano:events:{turn.session}", 0, -1)
    events: list[Event] = sorted(tuple(event[:3]) for event in map(json.loads, lines))
    if events and events[0][0] > before.began:
        return None  # older ones have made room
    around = [event for event in events if _near(event, before, turn)]
    once = any((what, model) == ("borrowed", before.model) for _, what, model in around)
    if once or any(model == turn.model for _, _, model in around):
        return None
    return f"{turn.request_id}: no event says why {turn.model} answered, only {events}"


def _near(event: Event, before: Turn, turn: Turn) -> bool:
    return before.began - _TOLERANCE_S <= event[0] <= turn.ended + _TOLERANCE_S
