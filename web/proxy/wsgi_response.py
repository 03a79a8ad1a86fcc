"""A response whose status, headers and body go out as they are."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.client import responses as phrases
from typing import Any

from werkzeug.datastructures import Headers

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class WsgiResponse:
    """A WSGI response that a view may return: docs/decisions/0012 has what it saves.

    Flask's own copies the headers twice, checks and completes them. These are complete, but for the length of a body
    that is bytes. gunicorn checks their characters.
    """

    def __init__(
        self, body: bytes | Iterable[bytes], status: int = HTTPStatus.OK, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """`body` that is no bytes is sent in the pieces in which it comes, and closed if it can be."""
        self.status_code = int(status)
        self._pairs = list(headers)
        self._pieces = (body,) if isinstance(body, bytes) else body
        self._on_close: list[Callable[[], object]] = []
        if isinstance(body, bytes) and status not in _WITHOUT_BODY:
            self._pairs.append(("Content-Length", str(len(body))))

    @property
    def headers(self) -> Headers:
        """The headers, to be looked at; a change has no effect."""
        return Headers(self._pairs)

    def add(self, headers: Iterable[tuple[str, str]]) -> None:
        """Send these headers, too."""
        self._pairs += headers

    def call_on_close(self, function: Callable[[], object]) -> None:
        """Have a function called when the body has been sent, or its client has gone."""
        self._on_close.append(function)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> "WsgiResponse":
        """Begin the response, as WSGI has it; what is returned gives its body."""
        start_response(f"{self.status_code} {phrases.get(self.status_code, 'Unknown')}", self._pairs)
        if environ["REQUEST_METHOD"] == "HEAD":
            self._pieces = ()
        return self

    def __iter__(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        return iter(self._pieces)

    def close(self) -> None:
        """End the body, and call what is to be called then."""
        close = getattr(self._pieces, "close", None)
        if close:
            close()
        for function in self._on_close:
            function()
