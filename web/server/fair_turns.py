"""Whose turn it is: a connection that never has to wait would keep all others of its process waiting."""

import gevent
from gevent import get_hub

_NEXT_ROUND_S = 1e-9
"""A sleep of 0 would return before the event loop has looked for what is readable: for 5 ms, with gevent 26."""


class Turns:
    """The turns of one connection."""

    def __init__(self) -> None:
        self._loop = get_hub().loop
        self._round = -1

    def take(self) -> None:
        """Let all others run, unless this connection has waited for something since its last turn.

        Who waits comes back in another round of the event loop.
        """
        if self._loop.iteration == self._round:
            gevent.sleep(_NEXT_ROUND_S)
        self._round = self._loop.iteration
