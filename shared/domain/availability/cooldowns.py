"""How long a model sits out that has failed, and where it then comes among the candidates."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

BASE_S = 10
LONGEST_S = 300


class Cooldown(msgspec.Struct, frozen=True):
    """What is known of a model that has failed lately; other models have no cooldown."""

    since: float
    """When it failed last, in seconds since the epoch."""
    failures: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    """How many times it has failed in a row; failures while it sat out do not count."""
    cooling: bool
    """Whether it still sits out. Afterwards one request at a time tries whether it is well again."""
    why: str = ""


def sit_out_s(failures: int, retry_after_s: int | None) -> int:
    """How long a model sits out after so many failures in a row: its Retry-After, else 10 s, doubled up to 5 min."""
    if retry_after_s is not None:
        return max(1, min(retry_after_s, LONGEST_S))
    return min(BASE_S << min(failures - 1, 10), LONGEST_S)


def by_fitness(models: Sequence[str], cooldowns: Mapping[str, Cooldown]) -> tuple[str, ...]:
    """The models that have not failed, in their order; then those that have, the one failed longest ago first."""
    return tuple(sorted(models, key=lambda name: cooldowns[name].since if name in cooldowns else 0.0))
