"""What came of a scenario, in figures."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.system.load.record import Turn

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Of `hung` to `errors` each is 0 when all is well; times are those of all requests, the hung ones included."""

    requests: int
    hung: int
    """Requests that were given up."""
    split: int
    """Sessions that more than one model answered."""
    degraded: int
    unpinned: int
    """Answers to later turns that no pin decided."""
    errors: int
    """Answers that were not 200, broke off, or did not belong to their request."""
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not any((self.hung, self.split, self.degraded, self.unpinned, self.errors))


def count(turns: Sequence[Turn]) -> Counts:
    """The counts of one turn or more."""
    times = sorted(turn.took_ms for turn in turns)
    return Counts(
        requests=len(turns),
        hung=sum(turn.hung for turn in turns),
        split=len(_split(turns)),
        degraded=sum(bool(turn.degraded) for turn in turns),
        unpinned=sum(bool(turn.number and turn.model and not turn.pinned) for turn in turns),
        errors=sum(bool(turn.fault) for turn in turns),
        p50_ms=_percentile(times, 0.5),
        p99_ms=_percentile(times, 0.99),
        max_ms=times[-1],
    )


def examples(turns: Sequence[Turn]) -> list[str]:
    """Some of what is counted, one sentence each."""
    split = [f"{session} was answered by {', '.join(models)}" for session, models in _split(turns).items()]
    faults = [f"{turn.session} turn {turn.number}: {turn.fault}" for turn in turns if turn.fault]
    degraded = [f"{turn.session} turn {turn.number}: degraded, {turn.degraded}" for turn in turns if turn.degraded]
    hung = [f"{turn.session} turn {turn.number}: hung" for turn in turns if turn.hung]
    return [line for lines in (hung, split, degraded, faults) for line in lines[:_SHOWN]]


def _split(turns: Sequence[Turn]) -> dict[str, list[str]]:
    """The sessions that more than one model answered, with those models."""
    models: dict[str, set[str]] = defaultdict(set)
    for turn in turns:
        if turn.model:
            models[turn.session].add(turn.model)
    return {session: sorted(names) for session, names in models.items() if len(names) > 1}


def _percentile(times: Sequence[float], share: float) -> float:
    """The smallest of the sorted times that so many of them do not exceed."""
    return times[math.ceil(share * len(times)) - 1]
