"""Which models are fit to be asked: one rule for pinned and new sessions alike."""

from collections.abc import Mapping, Sequence

import msgspec

BASE_S = 10
LONGEST_S = 300


class Condition(msgspec.Struct, frozen=True):
    """What is known of a model that has failed; of one that has not, nothing is."""

    since: float
    """When it failed last, in seconds since the epoch."""
    failures: int
    """How many times it has failed in a row, each after the last one's time was served."""
    cooling: bool
    """Whether it still sits out; afterwards one request at a time tries whether it is well again."""
    why: str = ""


def sit_out_s(failures: int, retry_after_s: int | None) -> int:
    """How long a model sits out after so many failures in a row: its own Retry-After, else 10 s doubling to 5 min."""
    if retry_after_s is not None:
        return max(1, min(retry_after_s, LONGEST_S))
    return min(BASE_S << min(failures - 1, 10), LONGEST_S)


def by_fitness(models: Sequence[str], conditions: Mapping[str, Condition]) -> tuple[str, ...]:
    """Those that have not failed in their order, then those that have, the least recently failed first."""
    return tuple(sorted(models, key=lambda name: conditions[name].since if name in conditions else 0.0))
