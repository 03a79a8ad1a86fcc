"""Looks up the addresses of providers: within a limit, not each time anew, and none waits for another's."""

import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import msgspec
from gevent import monkey
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

LIMIT_S = 5.0
KEPT_S = 30.0
FAILURE_KEPT_S = 5.0

Addresses = list[tuple[Any, ...]]
"""As `socket.getaddrinfo` returns them."""
_Name = tuple[str, int]
_getaddrinfo = monkey.get_original("socket", "getaddrinfo")


class _Known(msgspec.Struct, frozen=True):
    """What a look-up has found, or why it has found nothing, and until when that counts."""

    found: Addresses
    failure: str
    until: float


def _system(host: str, port: int) -> Addresses:
    found: Addresses = _getaddrinfo(host, port, 0, socket.SOCK_STREAM, socket.SOL_TCP)
    return found


class Names:
    """The addresses of names.

    gevent's resolver has ten threads for a whole process. A name server that is silent for one provider's zone would
    take all of them, for as long as the system's resolver tries. Here each name has one thread of its own. Whoever
    needs the name while it is looked up waits for the same answer.
    """

    def __init__(
        self, look_up: Callable[[str, int], Addresses] = _system, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`look_up` finds the addresses; it runs in a thread and raises OSError, or UnicodeError for no name."""
        self._look_up = look_up
        self._clock = clock
        self._known: dict[_Name, _Known] = {}
        self._threads: dict[_Name, ThreadPool] = {}
        self._under_way: dict[_Name, AsyncResult[_Known]] = {}

    def addresses(self, host: str, port: int) -> Addresses:
        """Where to connect to; never empty. Raises socket.gaierror, after five seconds at the latest."""
        name = host, port
        known = self._known.get(name)
        if known is None or known.until <= self._clock():
            known = self._look(name) if _is_address(host) else self._asked(name)
        if known.failure:
            raise socket.gaierror(socket.EAI_AGAIN, known.failure)
        return known.found

    def _asked(self, name: _Name) -> _Known:
        under_way = self._under_way.get(name)
        if under_way is None or under_way.ready():
            if name not in self._threads:
                self._threads[name] = ThreadPool(1)
            under_way = self._under_way[name] = self._threads[name].spawn(self._look, name)
        under_way.wait(LIMIT_S)
        if not under_way.ready():  # its answer counts when it comes
            self._keep(name, [], f"the look-up took more than {LIMIT_S:g} s")
        return self._known[name]

    def _look(self, name: _Name) -> _Known:
        try:
            found = self._look_up(*name)
        except (OSError, UnicodeError) as error:
            return self._keep(name, [], getattr(error, "strerror", None) or "the name is none")
        return self._keep(name, found, "" if found else "the name has no address")

    def _keep(self, name: _Name, found: Addresses, failure: str) -> _Known:
        until = self._clock() + (FAILURE_KEPT_S if failure else KEPT_S)
        known = self._known[name] = _Known(found, failure, until)
        return known


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
