"""The clients, all in one process: `python -m tests.system.load.client`, with a plan as JSON on its standard input.

It prints the turns, one JSON object a line, when all have ended: each has by the plan's time limit.
"""

import asyncio
import dataclasses
import json
import sys
import time

from tests.system.load.connection import BROKEN, Connection
from tests.system.load.reading import heard
from tests.system.load.record import Plan, Turn

OWN_MODELS = ("own-0", "own-1")
"""Requests of one session name both: two of them that are not routed are answered by two models."""
_PATH = "/v1/chat/completions"


async def converse(plan: Plan) -> list[Turn]:
    """All rounds, one after the other; clients keep their connections."""
    clients = [_Client(plan, n, nth) for n in range(plan.sessions) for nth in range(plan.at_once)]
    turns: list[Turn] = []
    for number in range(plan.rounds):
        for of_one in await asyncio.gather(*(client.converse(number) for client in clients)):
            turns += of_one
    for client in clients:
        client.close()
    return turns


class _Client:
    """One of those that open a session."""

    def __init__(self, plan: Plan, session: int, nth: int) -> None:
        self._plan = plan
        self._session = session
        self._nth = nth
        self._connections = {port: Connection(port) for port in plan.ports}

    async def converse(self, number: int) -> list[Turn]:
        """All turns of its session of a round; none after one that hung."""
        session = f"{self._plan.name}-{number}-{self._session}"
        turns: list[Turn] = []
        while len(turns) < self._plan.turns and not (turns and turns[-1].hung):
            turns.append(await self._ask(session, len(turns)))
        return turns

    def close(self) -> None:
        """Close its connections."""
        for connection in self._connections.values():
            connection.close()

    async def _ask(self, session: str, number: int) -> Turn:
        nth = self._nth + number
        asked, streamed = f"{session} {number}.{self._nth}", nth % 2 == 1
        own = f"openai/{OWN_MODELS[nth % len(OWN_MODELS)]}"
        body = {"model": own, "messages": [{"role": "user", "content": asked}], "stream": streamed}
        connection = self._connections[self._plan.ports[(self._session + nth) % len(self._plan.ports)]]
        turn = Turn(session=session, number=number, took_ms=0)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._plan.give_up_s):
                answer = await connection.post(_PATH, json.dumps(body).encode(), {"X-Model-Affinity": session})
            turn = heard(answer, turn, asked=asked, streamed=streamed)
        except TimeoutError:
            turn = dataclasses.replace(turn, hung=True)
        except BROKEN as fault:
            turn = dataclasses.replace(turn, fault=repr(fault))
        return dataclasses.replace(turn, took_ms=(time.monotonic() - began) * 1000)


def main() -> None:
    """Do what the plan says."""
    plan = Plan(**json.load(sys.stdin))
    for turn in asyncio.run(converse(plan)):
        sys.stdout.write(json.dumps(dataclasses.asdict(turn)) + "\n")


if __name__ == "__main__":
    main()
