"""The connections of a process: which of them are idle, and which have to end when hardly any more can be had."""

import logging
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import ParseException

from shared.log_fields import fields
from web.server.client_socket import Client

log = logging.getLogger("plano.web")

PROBES = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})
"""What is served on the last connections, too."""
_SPARE = 0.1
"""The share of the connections that is kept for probes."""
_SAY_EVERY_S = 60.0


class Crowded(ParseException):  # type: ignore[misc]
    """All connections are taken but those that are kept for probes."""


class Connections:
    """Which connections are open, and which of them are idle."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`most` is how many the process may have."""
        self._clock = clock
        self._usual = most - max(int(most * _SPARE), 1)
        self._open: dict[Any, Client] = {}
        self._idle: dict[Client, float] = {}
        """Since when each is idle; those that are idle longest come first."""
        self._ended = 0
        self._said_at = -_SAY_EVERY_S

    def open(self, greenlet: Any, client: Client) -> None:
        """Note a new connection; one that is idle ends for it when nine in ten are taken.

        When none is idle, the new one is for a probe.
        """
        if len(self._open) >= self._usual:
            client.is_spare = not self._end_longest_idle()
            self._ended += not client.is_spare
            self._say()
        self._open[greenlet] = client

    def close(self, greenlet: Any) -> None:
        """Note that a connection has ended."""
        del self._open[greenlet]

    def of(self, greenlet: Any) -> Client:
        """The connection that a greenlet serves."""
        return self._open[greenlet]

    def begin_idle(self, client: Client) -> None:
        """Note that a connection waits for its next request."""
        self._idle[client] = self._clock()

    def end_idle(self, client: Client) -> None:
        """Note that a connection has its next request, or ends."""
        self._idle.pop(client, None)

    def end_idle_for(self, seconds: float) -> None:
        """End the connections that have waited so long for their next request."""
        until = self._clock() - seconds
        while self._idle and next(iter(self._idle.values())) <= until:
            self._end_longest_idle()

    def end_all_idle(self) -> None:
        """End every connection that waits for its next request."""
        while self._end_longest_idle():
            pass

    def _end_longest_idle(self) -> bool:
        client = next(iter(self._idle), None)
        if client is None:
            return False
        del self._idle[client]
        client.end()
        return True

    def _say(self) -> None:
        now = self._clock()
        if now - self._said_at < _SAY_EVERY_S:
            return
        self._said_at = now
        counts = fields(connections=len(self._open), ended=self._ended)
        log.warning("nearly all connections are taken; those that are idle longest are ended", extra=counts)
        self._ended = 0
