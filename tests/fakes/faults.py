"""What can be made to go wrong with an answer.

kind            the answer
status          has another status: `code`, `headers`, `body` (bytes, text or JSON; else an OpenAI error)
hang            never comes, until `release()`
slow            comes after `seconds`
close           is the end of the connection, without a byte
not_json        is 200 with an HTML page
repeat_headers  has two Set-Cookie and two X-Repeat headers
half_body       ends in the middle of its body                               (not streamed ones)
half_stream     ends after two events, without the end of its chunks         (streamed ones, as all below)
unterminated    ends properly, but its last line has no newline
crlf            has lines that end with CR LF
big_line        has one line of 2 MiB: its second event, padded
split           comes in pieces of seven bytes
"""

import functools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.wire import Answer, Exchange, dumps, error

BIG_LINE_BYTES = 2 * 1024 * 1024
PIECE_BYTES = 7

_PAGE = b"<!doctype html><html><body><h1>It works!</h1></body></html>\n"
_REPEATED = (
    ("Set-Cookie", "a=1; Path=/"),
    ("Set-Cookie", "b=2; Path=/"),
    ("X-Repeat", "one"),
    ("X-Repeat", "two"),
)
_STREAMED_ONLY = frozenset({"half_stream", "unterminated", "crlf", "big_line", "split"})
_WHOLE_ONLY = frozenset({"half_body"})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and with what."""

    kind: str
    code: int = 500
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(sorted(KINDS))}")

    def fits(self, answer: Answer) -> bool:
        """Whether it can happen to this answer at all."""
        return self.kind not in (_WHOLE_ONLY if answer.streamed else _STREAMED_ONLY)

    def deliver(
        self, answer: Answer, exchange: Exchange, hang: Callable[[Exchange], None], *, pause_s: float
    ) -> None:
        """Send the answer, with the fault; `hang` lets it hang."""
        if self.kind == "close":
            exchange.cut()
            return
        if self.kind == "slow":
            exchange.wait(self.seconds)
        elif self.kind == "hang":
            hang(exchange)
        else:
            answer = _SPOILT[self.kind](answer, self)
        exchange.send(answer, pause_s=pause_s)


class Faults:
    """The faults that are due: at most one for each model, and one for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str | None, tuple[Fault, int | None]] = {}

    def put(self, fault: Fault | None, *, model: str | None, times: int | None) -> None:
        """Make a fault happen to a model's answers; None resets that model, or all of them."""
        with self._lock:
            if fault:
                self._due[model] = (fault, times)
            elif model is None:
                self._due.clear()
            else:
                self._due.pop(model, None)

    def take(self, model: str | None, answer: Answer) -> Fault | None:
        """The fault that happens to this answer, counted; the model's own one before that for all."""
        with self._lock:
            for name in dict.fromkeys((model, None)):
                fault, times = self._due.get(name, (None, None))
                if fault is None or times == 0 or not fault.fits(answer):
                    continue
                self._due[name] = (fault, None if times is None else times - 1)
                return fault
        return None


class Gates:
    """Where answers wait that hang."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed: set[socket.socket] = set()
        self._released = 0

    @property
    def waiting(self) -> int:
        """How many answers wait."""
        return len(self._closed)

    def ahead(self) -> Callable[[Exchange], None]:
        """A wait until the next release, over at once if that came before it.

        It raises ConnectionError when the client leaves.
        """
        return functools.partial(self._wait, self._released)

    def _wait(self, released: int, exchange: Exchange) -> None:
        with self._gate() as gate:
            if self._released == released:
                exchange.wait(None, gate)

    def release(self) -> None:
        """Let every waiting answer go."""
        with self._lock:
            self._released += 1
            for gate in self._closed:
                gate.sendall(b"!")

    @contextmanager
    def _gate(self) -> Iterator[socket.socket]:
        inner, outer = socket.socketpair()
        with inner, outer:
            with self._lock:
                self._closed.add(outer)
            try:
                yield inner
            finally:
                with self._lock:
                    self._closed.discard(outer)


def _status(_: Answer, fault: Fault) -> Answer:
    usual = error(fault.code, f"The stand-in answers {fault.code}, as it was told to", kind="server_error")
    named = {name.lower() for name in fault.headers}
    kept = tuple((name, value) for name, value in usual.headers if name.lower() not in named)
    return replace(
        usual,
        body=usual.body if fault.body is None else _bytes_of(fault.body),
        headers=kept + tuple(fault.headers.items()),
    )


def _bytes_of(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else dumps(body)


def _not_json(_: Answer, __: Fault) -> Answer:
    return Answer(headers=(("Content-Type", "text/html"),), body=_PAGE)


def _repeat_headers(answer: Answer, _: Fault) -> Answer:
    return answer.plus(*_REPEATED)


def _half_body(answer: Answer, _: Fault) -> Answer:
    half = answer.body[: len(answer.body) // 2]
    return replace(answer, body=half, missing=len(answer.body) - len(half), cut=True)


def _half_stream(answer: Answer, _: Fault) -> Answer:
    return replace(answer, events=(answer.events or ())[:2], cut=True)


def _unterminated(answer: Answer, _: Fault) -> Answer:
    *events, last = answer.events or (b"",)
    return replace(answer, events=(*events, last.rstrip(b"\n")))


def _crlf(answer: Answer, _: Fault) -> Answer:
    return replace(answer, events=tuple(event.replace(b"\n", b"\r\n") for event in answer.events or ()))


def _big_line(answer: Answer, _: Fault) -> Answer:
    """The padding comes before every other field: JSON has no order to rely on."""
    first, second, *rest = answer.events or ()
    padded = second.replace(b"{", b'{"padding":"%b",' % (b"x" * BIG_LINE_BYTES), 1)
    return replace(answer, events=(first, padded, *rest))


def _split(answer: Answer, _: Fault) -> Answer:
    data = b"".join(answer.events or ())
    return replace(answer, events=tuple(data[n : n + PIECE_BYTES] for n in range(0, len(data), PIECE_BYTES)))


_SPOILT: Mapping[str, Callable[[Answer, Fault], Answer]] = {
    "status": _status,
    "not_json": _not_json,
    "repeat_headers": _repeat_headers,
    "half_body": _half_body,
    "half_stream": _half_stream,
    "unterminated": _unterminated,
    "crlf": _crlf,
    "big_line": _big_line,
    "split": _split,
}
KINDS = frozenset(_SPOILT) | {"hang", "slow", "close"}
