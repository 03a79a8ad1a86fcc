"""Ports of the loopback."""

import socket


def free_port() -> int:
    """A port where nothing listens: the address of a provider that is down."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
