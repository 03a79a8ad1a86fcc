"""A free port of `tests/fakes` is free until its server comes."""

import socket

import pytest

from tests.fakes.ports import free_port


def test_nothing_listens_on_a_free_port() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()), timeout=5)


def test_a_free_port_is_nobody_elses_and_still_a_servers() -> None:
    port = free_port()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
