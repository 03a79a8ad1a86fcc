"""A router model behind an OpenAI-compatible API, such as Arch-Router."""

import time
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import urlsplit

import gevent
import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as SocketTimeout

from shared.config.routing_section import Router
from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route
from shared.errors import RouterDown
from shared.outgoing import DIRECT, Outgoing
from workers.router.answer import route_of
from workers.router.prompt import Prompt

POOL_SIZE = 64
MAX_ANSWER_BYTES = 64 * 1024

_TEMPERATURE = 0.01  # as the router model's authors ask; 0 is refused by some servers
_CHUNK_BYTES = 8192


class _Reply(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Reply


class _Completion(msgspec.Struct):
    choices: list[_Choice]


_decode = msgspec.json.Decoder(_Completion).decode


class ArchRouter:
    """Asks a router model which route a conversation belongs to.

    gevent limits the whole time of a call, since the time-outs of requests are for each socket operation, and the
    look-up of a name has none.
    """

    def __init__(
        self, config: Router, prompt: Prompt, outgoing: Outgoing = DIRECT, *, pool_size: int = POOL_SIZE
    ) -> None:
        parts = urlsplit(config.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._at = f"the router at {host}:{parts.port}" if parts.port else f"the router at {host}"
        base = parts.path.rstrip("/") or "/v1"
        self._url = parts._replace(path=f"{base}/chat/completions", fragment="").geturl()
        self._model = config.model
        self._api_key = config.api_key
        self._timeout_ms = config.timeout_ms
        self._prompt = prompt
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=pool_size, max_retries=0, pool_block=False)
        self._session = requests.Session()
        self._session.trust_env = False  # no credentials from .netrc
        self._session.proxies, self._session.verify = outgoing.for_requests(self._url, config.ca_file)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def choose(self, routes: Sequence[Route], messages: Sequence[Message], trace: Trace) -> str | None:
        """The route's name, or None when no route fits; raises RouterDown, within `timeout_ms`."""
        if not routes or not messages:
            return None
        budget_s = self._timeout_ms / 1000
        deadline = time.monotonic() + budget_s
        with gevent.Timeout(budget_s, self._late()):
            content = self._ask(self._body_of(routes, messages), trace, deadline)
        return route_of(content, [route.name for route in routes])

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def _body_of(self, routes: Sequence[Route], messages: Sequence[Message]) -> bytes:
        prompt = self._prompt.render(routes, messages)
        said = [{"role": "user", "content": prompt}]
        return msgspec.json.encode({"model": self._model, "messages": said, "temperature": _TEMPERATURE})

    @cached_property
    def _usual(self) -> requests.PreparedRequest:
        """The part that all requests have in common. To prepare each request anew would take 0.1 ms."""
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._api_key:
            headers["authorization"] = f"Bearer {self._api_key}"
        encoded = {name: value.encode("utf-8", "replace") for name, value in headers.items()}
        return self._session.prepare_request(requests.Request("POST", self._url, headers=encoded))

    def _ask(self, body: bytes, trace: Trace, deadline: float) -> str:
        """The answer's text. Raises RouterDown for every fault, with a text that shows neither key nor content."""
        try:
            request = self._usual.copy()
            request.body = body
            request.headers["content-length"] = str(len(body))
            request.headers["traceparent"] = trace.traceparent
            request.headers["x-request-id"] = trace.request_id.encode("utf-8", "replace").decode("latin-1")  # as sent
            return _decode(self._exchange(request, deadline)).choices[0].message.content
        except (msgspec.DecodeError, UnicodeError, RecursionError, IndexError):
            raise RouterDown(f"{self._at} answered with something that is not a chat completion") from None
        except (requests.Timeout, SocketTimeout):
            raise self._late() from None
        except (requests.RequestException, HTTPError, ValueError) as error:  # ValueError: an invalid header
            raise RouterDown(f"{self._at} could not be asked: {_cause(error)}") from None

    def _exchange(self, request: requests.PreparedRequest, deadline: float) -> bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise self._late()
        with self._session.send(request, timeout=left_s, stream=True, allow_redirects=False) as response:
            if not 200 <= response.status_code < 300:  # noqa: PLR2004  # what HTTP calls success
                raise RouterDown(f"{self._at} answered with status {response.status_code}")
            return self._body(response, deadline)

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise RouterDown(f"{self._at} answered with more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise self._late()
        return bytes(body)

    def _late(self) -> RouterDown:
        return RouterDown(f"{self._at} gave no answer within {self._timeout_ms} ms")


def _cause(error: BaseException) -> str:
    """The name of the innermost error's class; its message could show the whole URL."""
    reason = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    return _cause(reason) if isinstance(reason, BaseException) else type(error).__name__
