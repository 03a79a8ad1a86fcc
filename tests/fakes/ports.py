"""Ports of the loopback."""

import contextlib
import random
import socket

_BELOW_THE_KERNELS = range(10_000, 30_000)
"""Whoever asks the kernel for any port is given one above these."""


def free_port() -> int:
    """A port where nothing listens, nor will anybody by accident: the address of a provider that is down."""
    while True:
        port = random.choice(_BELOW_THE_KERNELS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
