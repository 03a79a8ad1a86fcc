"""What is asked of a pool, and of which one."""

from dataclasses import dataclass, replace
from typing import Literal

Web = Literal["one process", "two processes", "two replicas"]
"""Two processes share a port; replicas have one each."""
MOST = 200
"""How many sessions there are at once in the largest of the scenarios, as they are meant."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """So many sessions in each round, each with so many first requests at once and so many turns."""

    name: str
    web: Web
    sessions: int
    at_once: int = 1
    turns: int = 1
    rounds: int = 1
    balancer: str | None = None
    busy: bool = False
    """Whether two processes that never rest take what they can of the machine."""

    @property
    def title(self) -> str:
        """What it is called where it is reported."""
        behind = f" behind {self.balancer}" if self.balancer else ""
        return f"{self.name}{behind}{' beside two busy loops' if self.busy else ''}"

    @property
    def requests(self) -> int:
        """How many there are in all, when none hangs."""
        return self.rounds * self.sessions * self.at_once * self.turns


def scenarios(
    *, most: int = MOST, rounds: int | None = None, balancer: str | None = None, busy: bool = False
) -> list[Scenario]:
    """All of them; `most` sessions at once in the largest, in the others fewer by as much.

    `rounds` is for each of them, None as it is meant; `balancer` is in front of what agents ask.
    """

    def of(sessions: int) -> int:
        return max(1, round(sessions * most / MOST))

    all_of_them = [
        Scenario(name="bursts_of_two", web="one process", sessions=of(60), at_once=2, rounds=12),
        Scenario(name="bursts_of_six", web="two replicas", sessions=of(30), at_once=6, rounds=5),
        Scenario(name=f"first_{of(150)}", web="two processes", sessions=of(150)),
        Scenario(name=f"first_{of(200)}", web="two processes", sessions=of(200)),
        Scenario(name=f"agents_{of(100)}", web="two replicas", sessions=of(100), turns=10, balancer=balancer),
        Scenario(name=f"agents_{of(200)}", web="two replicas", sessions=of(200), turns=10, balancer=balancer),
    ]
    return [replace(each, rounds=rounds or each.rounds, busy=busy) for each in all_of_them]
