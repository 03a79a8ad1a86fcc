"""The connections of a process, when nearly all are taken."""

from typing import Any

import pytest

from web.server.connections import Connections

MOST = 20
USUAL = 18


class Idle:
    """Stands for a client that waits for its next request."""

    is_spare = False
    ended = False

    def end(self) -> None:
        """Count."""
        self.ended = True


def test_that_they_are_is_said_again_a_minute_later(caplog: pytest.LogCaptureFixture) -> None:
    """And not for each of them."""
    now = 1000.0
    made, clients = Connections(MOST, lambda: now), [Idle() for _ in range(USUAL + 9)]

    said = []
    for n, client in enumerate(clients):
        stands_for: Any = client
        made.open(n, stands_for)
        made.begin_idle(stands_for)
        said.append(sum("nearly all" in record.message for record in caplog.records))
        now += 10.0 if n >= USUAL else 0.0

    assert said == [0] * USUAL + [1] * 6 + [2] * 3
    assert [client.ended for client in clients] == [True] * 9 + [False] * USUAL
    assert caplog.records[-1].__dict__["fields"] == {"connections": USUAL + 6, "ended": 6}
