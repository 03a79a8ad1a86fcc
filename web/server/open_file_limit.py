"""How many connections a process may have: each is an open file, and the system limits those."""

import logging
import resource

log = logging.getLogger("plano.web")

_MOST = 4096
_OWN = 128
"""Files of the process itself: Redis, the log, the event loop, and connections to providers that are kept."""


def connections(under_way: int) -> int:
    """How many clients a process may be connected with when so many requests may be `under_way`.

    Each request under way may have a connection to a provider, too. The soft limit of open files is raised as far as
    it is needed and the hard limit allows.
    """
    wanted = _MOST + min(under_way, _MOST) + _OWN
    free = _raised(wanted) - _OWN
    most = max(min(_MOST, max(free // 2, free - under_way)), 16)
    if most < _MOST:
        log.warning("open files are limited (ulimit -n): a web process takes %d connections, not %d", most, _MOST)
    return most


def _raised(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(soft, allowed)
