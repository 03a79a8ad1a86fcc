"""The attackers, a process of its own until killed: `python -m tests.system.attack.attacker flood 8001 8002`."""

import itertools
import json
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HUGE_MODEL = "openai/huge"
"""Its answers are too large for the buffers between it and a client."""
_HUGE = {
    "model": HUGE_MODEL,
    "messages": [{"role": "user", "content": "load-slow 0"}],  # as the stand-in router wants it
    "routing_preferences": [{"name": "huge", "description": "huge", "models": [HUGE_MODEL]}],
    "stream": True,
}
_HOST = "127.0.0.1"
_AGAIN_AFTER_S = 0.05
_HEAVY_EVERY_S = 0.5
_SILENT = 4096
_SLOW_READERS = 40
_FLOOD_BYTES_S = 100_000
_PATH = "/v1/chat/completions"


def flood(port: int) -> None:
    """Requests back to back on one connection, at 100 KB a second."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    batch = request * 50
    with _connected(port) as sock:
        reader = threading.Thread(target=_drain, args=(sock,), daemon=True)
        reader.start()
        while reader.is_alive():
            sock.sendall(batch)
            time.sleep(len(batch) / _FLOOD_BYTES_S)


def endless_body(port: int) -> None:
    """A body that says it has 10^12 bytes, sent as fast as it is taken; one answer after the other is ignored."""
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n".encode()
    block = b"[" + b" " * 65535
    with _connected(port) as sock:
        sock.sendall(head)
        while True:
            sock.sendall(block)


def silent(port: int) -> None:
    """As many connections as a process takes, and not a byte on them; those that are closed are opened again."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = min(_SILENT, hard - 100)
    held: list[socket.socket] = []
    while True:
        with suppress(OSError):
            while len(held) < most:
                held.append(socket.create_connection((_HOST, port), timeout=1))
        time.sleep(1)
        held = [sock for sock in held if _is_open(sock)]


def heavy_bodies(port: int) -> None:
    """Bodies that are small to send and much to read: very many messages, and very many fields."""
    bodies = itertools.cycle(_heavy())
    while True:
        with suppress(OSError), _connected(port) as sock:
            body = next(bodies)
            head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode())
            with suppress(OSError):
                sock.sendall(body)
            _drain(sock)
        time.sleep(_HEAVY_EVERY_S)


def slow_readers(port: int) -> None:
    """40 clients that ask for large answers and never read one; those that are cut off come again."""
    body = json.dumps(_HUGE).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    held: list[socket.socket] = []
    while True:
        while len(held) < _SLOW_READERS:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect((_HOST, port))
            sock.sendall(head + body)
            held.append(sock)
        time.sleep(1)
        held = [sock for sock in held if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


def aborted_bodies(port: int) -> None:
    """Clients that leave in the middle of their request."""
    body = json.dumps(_HUGE).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for sent in itertools.cycle(range(1, len(head + body), 7)):
        with _connected(port) as sock:
            sock.sendall((head + body)[:sent])
        time.sleep(_AGAIN_AFTER_S)


ATTACKS: dict[str, Callable[[int], None]] = {
    each.__name__: each for each in (flood, endless_body, silent, heavy_bodies, slow_readers, aborted_bodies)
}


def _heavy() -> Iterator[bytes]:
    model = b'{"model":"openai/own-0",'
    yield model + b'"messages":[' + b"0," * 10_000_000 + b"0]}"
    yield model + b'"messages":[' + b"{}," * 6_500_000 + b"{}]}"
    yield (
        model
        + b'"messages":[{"role":"user","content":"x"}]'
        + b"".join(b',"%x":0' % n for n in range(1_500_000))
        + b"}"
    )
    yield b'{"messages":[' + b"[" * 5_000_000


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((_HOST, port), timeout=30) as sock:
        yield sock


def _drain(sock: socket.socket) -> None:
    with suppress(OSError):
        while sock.recv(65536):
            pass


def _is_open(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _for_ever(attack: Callable[[int], None], port: int) -> None:
    while True:
        with suppress(OSError):
            attack(port)
        time.sleep(_AGAIN_AFTER_S)


def main() -> None:
    """Attack each port in a thread of its own."""
    name, *ports = sys.argv[1:]
    threads = [threading.Thread(target=_for_ever, args=(ATTACKS[name], int(port)), daemon=True) for port in ports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
