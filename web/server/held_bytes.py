"""How many bytes of requests a process holds."""

from gunicorn.http.errors import ParseException


class Full(ParseException):  # type: ignore[misc]
    """The process holds as many bytes of requests as it may."""


class BufferedBytes:
    """Counts the bytes of requests that have arrived and are not yet answered."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    def add(self, size: int) -> bool:
        """Count bytes that have arrived; return whether the process now holds too many."""
        self._held += size
        return self._held > self._limit

    def release(self, size: int) -> None:
        """Forget bytes that were counted."""
        self._held -= size

    def expect(self, size: int) -> None:
        """Raises Full when there is no room for so many bytes more."""
        if self._held + size > self._limit:
            raise Full
