"""What the pool has done in each minute, in memory mode: what this process has."""

from collections.abc import Sequence

import msgspec

from shared.domain.pool_stats import KEPT_S, MINUTE_S, Sums


class MemoryStats:
    """The same as StatsStore, for one process."""

    def __init__(self) -> None:
        self._minutes: dict[int, Sums] = {}

    def add(self, minute: int, sums: Sums) -> None:
        """Add to a minute, which is counted from the epoch, and forget those that are too old."""
        known = self._minutes.setdefault(minute, Sums())
        for name, amount in msgspec.structs.asdict(sums).items():
            setattr(known, name, getattr(known, name) + amount)
        for old in [each for each in self._minutes if each <= minute - KEPT_S // MINUTE_S]:
            del self._minutes[old]

    def read(self, minutes: Sequence[int]) -> dict[int, Sums]:
        """What happened in those of the minutes in which anything did."""
        return {minute: self._minutes[minute] for minute in minutes if minute in self._minutes}
