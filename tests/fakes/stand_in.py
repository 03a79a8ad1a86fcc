"""What every stand-in does: listen, record, count, and misbehave when told to.

Over HTTP, for a stand-in in another process:

POST /_behave    the arguments of `behave` as JSON; also {"delay": 0.2} and whatever else is `settable`
GET /_requests   how many requests came, for which models, the headers of the last one, and the other counts
POST /_clear     forgets them
"""

import abc
import socket
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, ClassVar, Self

from tests.fakes.faults import Fault, Faults, Gates
from tests.fakes.ports import free_port
from tests.fakes.wire import Answer, Exchange, Request, dumps, error, read, whole

_KEPT = 10_000  # a stand-in of a long benchmark must not eat the machine
_CLOSE_LIMIT_S = 5.0


class StandIn(abc.ABC):
    """A real HTTP server, in threads of this process: on the loopback unless another host is named."""

    settable: ClassVar[frozenset[str]] = frozenset({"delay", "pause"})

    def __init__(self, port: int | None = None, host: str = "127.0.0.1") -> None:
        """Without a port it takes a free one."""
        self.host = host
        self.port = port or free_port()
        """The same one again after `close()` and `start()`."""
        self.delay = 0.0
        """Seconds before each answer."""
        self.pause = 0.0
        """Seconds between the events of a stream."""
        self._faults = Faults()
        self._gates = Gates()
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=_KEPT)
        self._models: Counter[str] = Counter()
        self._calls = self._open = self._left = self._connections = 0
        self._listener: _Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        self._listener = _Listener(self)
        self._listener.start()

    def close(self) -> None:
        """Stop listening and end every connection; it can be started again."""
        listener, self._listener = self._listener, None
        if listener:
            listener.stop()

    @property
    def url(self) -> str:
        """The base of its API: `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[Request]:
        """What came since the start or `clear()`, oldest first; of more than 10 000 the newest."""
        with self._lock:
            return list(self._requests)

    @property
    def calls(self) -> int:
        """How many requests came since the start or `clear()`."""
        return self._calls

    @property
    def open(self) -> int:
        """How many requests are being answered now."""
        return self._open

    @property
    def hanging(self) -> int:
        """How many answers hang now; each of them is let go by `release()`."""
        return self._gates.waiting

    @property
    def left(self) -> int:
        """How many clients left before their answer's end, since the start or `clear()`."""
        return self._left

    @property
    def connections(self) -> int:
        """How many connections were accepted since the start or `clear()`."""
        return self._connections

    @property
    def connected(self) -> int:
        """How many connections stand now, idle ones included."""
        return len(self._listener.standing) if self._listener else 0

    def clear(self) -> None:
        """Forget the requests and the counts; faults and settings stay."""
        with self._lock:
            self._requests.clear()
            self._models.clear()
            self._calls = self._left = self._connections = 0

    def behave(
        self,
        kind: str | None,
        *,
        model: str | None = None,
        times: int | None = None,
        code: int = 500,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 1.0,
    ) -> None:
        """Make the next answers go wrong; the kinds are listed in `faults.py`.

        `model` None is every model, `times` None until changed. A fault of streams waits for a streamed
        request. `behave(None)` makes all well again and releases what hangs; with a model, only that model's
        fault is taken back. Raises ValueError for an unknown kind.
        """
        fault = kind and Fault(kind=kind, code=code, body=body, headers=headers or {}, seconds=seconds)
        self._faults.put(fault or None, model=model, times=times)
        if kind is None and model is None:
            self.release()

    def release(self) -> None:
        """Let the answers go that hang."""
        self._gates.release()

    @abc.abstractmethod
    def respond(self, request: Request) -> Answer:
        """What this stand-in answers when all is well."""

    def delivered(self, answer: Answer) -> None:  # noqa: B027 - most have nothing to do then
        """Note an answer that goes out as it is, just before it does."""

    def serve(self, request: Request, exchange: Exchange) -> None:
        """Record a request and answer it."""
        if request.path.startswith("/_"):
            exchange.send(self._control(request))
            return
        with self._recorded(request):
            answer = self.respond(request)
            if self.delay:
                exchange.wait(self.delay)
            hang = self._gates.ahead()
            fault = self._faults.take(request.model, answer)
            if fault:
                fault.deliver(answer, exchange, hang, pause_s=self.pause)
            else:
                self.delivered(answer)
                exchange.send(answer, pause_s=self.pause)

    def connection_came(self) -> None:
        """Count a connection."""
        with self._lock:
            self._connections += 1

    @contextmanager
    def _recorded(self, request: Request) -> Iterator[None]:
        with self._lock:
            self._requests.append(request)
            self._models[request.model or ""] += 1
            self._calls += 1
            self._open += 1
        left = 0
        try:
            yield
        except ConnectionError:
            left = 1
            raise
        finally:
            with self._lock:
                self._left += left
                self._open -= 1  # last: who sees it end sees all that is counted

    def _control(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", "/_behave":
                return self._told(request.json)
            case "GET", "/_requests":
                return whole(dumps(self._summary()))
            case "POST", "/_clear":
                self.clear()
                return whole(b"{}")
        return self.told_more(request)

    def told_more(self, request: Request) -> Answer:
        """What else this stand-in tells of itself."""
        return error(404, f"{request.method} {request.path} is not there")

    def _told(self, arguments: Any) -> Answer:
        if not isinstance(arguments, dict):
            return error(400, "send the arguments of behave as a JSON object")
        settings = {name: arguments.pop(name) for name in self.settable & arguments.keys()}
        try:
            if arguments or not settings:
                self.behave(**arguments)
        except (TypeError, ValueError) as fault:
            return error(400, str(fault))
        for name, value in settings.items():
            setattr(self, name, value)
        return whole(b"{}")

    def _summary(self) -> dict[str, Any]:
        with self._lock:
            return {
                "count": self._calls,
                "models": dict(self._models),
                "headers": self._requests[-1].headers if self._requests else [],
                "connections": self._connections,
                "open": self._open,
                "hanging": self.hanging,
                "left": self._left,
            }


class _Handler(BaseHTTPRequestHandler):
    """One connection; its requests come one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Listener"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing: `requests` tells it all."""

    def _answer(self) -> None:
        exchange = Exchange(self.connection)
        self.server.stand_in.serve(read(self), exchange)
        if exchange.ended:
            self.close_connection = True


class _Listener(ThreadingHTTPServer):
    """The socket that listens, and the connections that stand."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.standing: set[socket.socket] = set()
        self._gone = threading.Condition()
        super().__init__((stand_in.host, stand_in.port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def server_bind(self) -> None:
        """Bind without asking the resolver for the machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.stand_in.host, self.server_address[1]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing of it is left."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._gone:
            for connection in self.standing:
                _end(connection)
            if not self._gone.wait_for(lambda: not self.standing, _CLOSE_LIMIT_S):
                raise TimeoutError(f"{len(self.standing)} connections of a stand-in do not end")

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._gone:
            self.standing.add(connection)
        self.stand_in.connection_came()
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._gone:
            super().shutdown_request(request)
            self.standing.discard(request)
            self._gone.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave; anything else is a fault of the stand-in, and is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster
