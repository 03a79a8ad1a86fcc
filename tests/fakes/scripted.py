"""A server that does with each connection what a test says: whatever no HTTP server would send."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket], None]


class Scripted:
    """Listens on the loopback; each connection gets a thread that runs the script, and is closed at its end."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._standing: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        """How many were accepted."""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The base of its API, if it has one."""
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        """Stop listening and end every connection."""
        _end(self._listener)
        self._accepting.join()
        for each in self._standing:
            _end(each)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._standing.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the client may leave at any time
            self._script(connection)


@contextlib.contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    """The server, closed at the end."""
    server = Scripted(script)
    try:
        yield server
    finally:
        server.close()


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
