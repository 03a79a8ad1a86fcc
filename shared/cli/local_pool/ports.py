"""Ports that `plano up` needs: whether they can be had, and which are free."""

import random
import re
import socket
from collections.abc import Mapping

from shared.errors import ConfigError

_VARIABLE = re.compile(r"\$\{?(\w+_PORT(?:_\d+)?)\b")
_FIRST_OF_USERS = 1024
_HIGHEST = 65535
_BELOW_THE_KERNELS = range(20_000, 30_000)
"""Outgoing connections are given ports above these: none takes a free one between now and its use."""


def port_fault(address: str, port: int) -> str | None:
    """Why a port cannot be listened on, with what to type instead; None when it can."""
    why = _refusal(address, port)
    if why is None:
        return None
    others = range(max(port + 1, _FIRST_OF_USERS), _HIGHEST + 1)
    free = next((other for other in others if _refusal(address, other) is None), "N")
    cure = f"stop what does, or use another: plano up --port {free}, or make run PORT={free}"
    return f"port {port}: cannot be listened on ({why}); {cure}"


def variables(procfile: str, env: Mapping[str, str], *, gateway: int | None = None) -> dict[str, str]:
    """A port for each variable `$…_PORT` in a Procfile: the one that it is set to, else a free one.

    None is the `gateway`'s. Raises ConfigError for those that are set to what cannot be listened on.
    """
    names = dict.fromkeys(_VARIABLE.findall(procfile))
    faults = [_variable_fault(name, env[name], gateway) for name in names if env.get(name)]
    if any(faults):
        raise ConfigError([fault for fault in faults if fault])
    drawn = random.sample(_BELOW_THE_KERNELS, len(_BELOW_THE_KERNELS))
    free = (port for port in drawn if port != gateway and not _refusal("", port))
    return {name: env.get(name) or str(next(free)) for name in names}


def _variable_fault(name: str, text: str, gateway: int | None) -> str | None:
    if not (text.isdecimal() and 0 < int(text) <= _HIGHEST):
        return f"{name}: is {text!r}; it is a whole number from 1 to {_HIGHEST}"
    why = "it is the gateway's" if int(text) == gateway else _refusal("", int(text))
    cure = "use another, or unset it: then plano up takes a free one"
    return f"{name}: port {text} cannot be listened on ({why}); {cure}" if why else None


def _refusal(address: str, port: int) -> str | None:
    """Why a port cannot be listened on, in the system's words."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.strerror
    return None
