"""Who may use one of a few connections next."""

from tests.store.greenlets import in_greenlets


def test_a_turn_that_came_to_somebody_who_has_left_is_passed_on() -> None:
    """A client that departs ends its request, wherever that waits; a lost turn would be lost for good."""
    left = in_greenlets(
        """
from shared.store.turns import Turns

turns = Turns(2)

def use():
    with turns:
        gevent.sleep(5)

for moment in ("while waiting", "as the turn comes"):
    turns.acquire(), turns.acquire()
    leaving = gevent.spawn(use)
    gevent.sleep(0.01)
    if moment == "while waiting":
        leaving.kill()
        turns.release()
    else:
        turns.release()
        leaving.kill()
    turns.release()
print([turns.acquire(0.1) for _ in range(3)])
"""
    )

    assert left == "[True, True, False]"
