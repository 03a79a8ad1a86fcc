"""Reads a JSON document over HTTP, bounded in time and size."""

import time
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as SocketTimeout

from shared.errors import SourceFailed
from shared.outgoing import DIRECT, Outgoing

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",  # uncompressed, so that a small answer cannot unpack to a large one
    "user-agent": "plano-affinity",
}


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """Fetches documents, with limits for time and size.

    `total_s` is checked after each piece of the body, so that the last piece may come later. It is not checked while
    the headers arrive: headers that come byte by byte are ended by the time limit of the job.
    """

    connect_s: float = 5.0
    silence_s: float = 10.0
    total_s: float = 20.0
    max_bytes: int = 20 * 1024 * 1024
    outgoing: Outgoing = DIRECT

    def json(self, url: str, shape: type[T], params: Mapping[str, str] | None = None) -> T:
        """The document at the address, which must have the shape.

        Raises SourceFailed, whose text shows neither credentials nor the document's content.
        """
        at = _shown(url)
        try:
            return msgspec.json.decode(self._body(url, params, at), type=shape)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise SourceFailed(f"{at} answered with something else than it promises: {error}") from None

    def _body(self, url: str, params: Mapping[str, str] | None, at: str) -> bytes:
        deadline = time.monotonic() + self.total_s
        limits = (min(self.connect_s, self.total_s), min(self.silence_s, self.total_s))
        try:
            with requests.Session() as session:
                session.trust_env = False  # no credentials from .netrc
                session.proxies, session.verify = self.outgoing.for_requests(url)
                with session.get(
                    url, params=params, headers=_HEADERS, timeout=limits, stream=True, allow_redirects=False
                ) as response:
                    if not 200 <= response.status_code < 300:  # noqa: PLR2004 - what HTTP calls success
                        raise SourceFailed(f"{at} answered with status {response.status_code}")
                    return self._read(response, deadline, at)
        except (requests.Timeout, SocketTimeout):
            raise self._late(at) from None
        except (requests.RequestException, HTTPError) as error:
            raise SourceFailed(f"{at} could not be read: {type(error).__name__}") from None

    def _read(self, response: requests.Response, deadline: float, at: str) -> bytes:
        body = bytearray()
        promised = response.headers.get("content-length", "")
        too_large = promised.isdecimal() and int(promised) > self.max_bytes
        while not too_large and (chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True)):
            body += chunk
            too_large = len(body) > self.max_bytes
            if time.monotonic() > deadline:
                raise self._late(at)
        if too_large:
            raise SourceFailed(f"{at} answered with more than {self.max_bytes} bytes")
        return bytes(body)

    def _late(self, at: str) -> SourceFailed:
        return SourceFailed(f"{at} gave no whole answer within {self.total_s:g} s")


def _shown(url: str) -> str:
    """The address without credentials and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
