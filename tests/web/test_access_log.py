"""One line a request, and the request's id on each line that is written for it."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.web import sites
from tests.web.gateway import CHAT, DECISION, REVIEW, Gateway, Outside, Webs, body

FIELDS = [
    "time", "level", "logger", "message", "method", "path", "status", "model", "route", "pinned", "session", "tenant",
    "ms", "first_byte_ms", "request_id",
]  # fmt: skip

Line = dict[str, Any]


class Logging:
    """A web process, and what it writes."""

    def __init__(self, gateway: Gateway, process: Process) -> None:
        self.gateway = gateway
        self._process = process

    def lines_of(self, request_id: str) -> list[str]:
        """Every line with this id; there is one at least."""
        lines: list[str] = wait_until(lambda: [line for line in self.text().splitlines() if request_id in line])
        return lines

    def text(self) -> str:
        return self._process.text()


Start = Callable[..., Any]


@pytest.fixture(scope="module")
def start(outside: Outside, server: RedisServer, webs: Webs, tmp_path_factory: pytest.TempPathFactory) -> Start:  # noqa: ARG001 - its worker decides
    @contextmanager
    def started(site: Callable[[Outside], str], **env: str) -> Iterator[Logging]:
        folder: Path = tmp_path_factory.mktemp("logging")
        with running(Pool(folder, site(outside), server.url, **env)) as pool:
            port = free_port()
            process = pool.web(port)
            with closing(Gateway(port)) as gateway:
                yield Logging(gateway, process)

    return started


@pytest.fixture(scope="module")
def as_json(start: Start) -> Iterator[Logging]:
    with start(sites.usual, LOG_FORMAT="json") as logging:
        yield logging


@pytest.fixture(scope="module")
def as_text(start: Start) -> Iterator[Logging]:
    with start(sites.narrow) as logging:
        logging.gateway.headers = {sites.TENANT_HEADER: "acme"}
        yield logging


@pytest.fixture
def request_id() -> str:
    return uuid.uuid4().hex


def _access(logging: Logging, request_id: str) -> Line:
    """The request's one line."""
    (line,) = (json.loads(each) for each in logging.lines_of(request_id) if "plano.access" in each)
    return dict(line)


def test_a_request_is_one_line_with_a_field_for_each_fact(as_json: Logging, session: str) -> None:
    first, second = (f"{n}-{session}" for n in (1, 2))
    for request_id in (first, second):
        as_json.gateway.ask("POST", CHAT, body(REVIEW), x_request_id=request_id, x_model_affinity=session)

    routed, pinned = _access(as_json, first), _access(as_json, second)

    assert list(routed) == FIELDS
    assert (routed["level"], routed["logger"]) == ("info", "plano.access")
    assert (routed["method"], routed["path"], routed["status"]) == ("POST", CHAT, 200)
    assert (routed["model"], routed["route"]) == ("openai/gpt-5.2", "deep_reasoning")
    assert (routed["session"], routed["tenant"]) == (session, None)
    assert (routed["pinned"], pinned["pinned"]) == (False, True)
    assert 0 < routed["first_byte_ms"] <= routed["ms"] < 10_000


def test_of_a_stream_the_first_byte_and_the_end_are_told(
    as_json: Logging, provider: Provider, request_id: str
) -> None:
    provider.pause = 0.1
    as_json.gateway.ask("POST", CHAT, body(stream=True), x_request_id=request_id)

    line = _access(as_json, request_id)

    assert line["ms"] - line["first_byte_ms"] > 100


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", DECISION, body(), 200),
        ("POST", CHAT, b"{", 400),
        ("GET", "/v1/models", None, 200),
        ("GET", "/none?key=secret", None, 404),
        ("DELETE", CHAT, None, 405),
    ],
)
def test_every_other_request_has_its_line_too(
    as_json: Logging, request_id: str, method: str, path: str, content: bytes | None, status: int
) -> None:
    """Without what follows the path: a credential may stand there."""
    as_json.gateway.ask(method, path, content, x_request_id=request_id)

    line = _access(as_json, request_id)

    assert (line["method"], line["path"], line["status"]) == (method, path.partition("?")[0], status)
    assert "secret" not in as_json.text()


def test_a_client_that_leaves_before_its_answer_has_a_line(
    as_json: Logging, provider: Provider, request_id: str
) -> None:
    provider.behave("hang")
    content = body()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-request-id: {request_id}\r\ncontent-length: {len(content)}\r\n\r\n"
    with as_json.gateway.connected() as connection:
        connection.sendall(head.encode() + content)
        wait_until(lambda: provider.hanging)

    line = _access(as_json, request_id)

    assert (line["status"], line["first_byte_ms"]) == (499, None)


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics"])
def test_health_and_metrics_have_none(as_json: Logging, path: str, request_id: str) -> None:
    as_json.gateway.ask("GET", path)
    as_json.gateway.ask("GET", "/v1/models", x_request_id=request_id)

    _access(as_json, request_id)

    assert f'"{path}"' not in as_json.text()


def test_every_line_of_a_request_has_its_id(
    as_json: Logging, provider: Provider, request_id: str, session: str
) -> None:
    """And no line after it."""
    provider.behave("status", code=503, model="gpt-5.2")
    as_json.gateway.ask("POST", CHAT, body(REVIEW), x_request_id=request_id, x_model_affinity=session)
    as_json.gateway.raw(b"no HTTP\r\n\r\n")

    lines = [json.loads(line) for line in as_json.lines_of(request_id)]

    events = {line["message"]: line for line in lines}
    assert (events["model failed"]["model"], events["model failed"]["outcome"]) == ("openai/gpt-5.2", "503")
    assert (events["pin moved"]["from"], events["pin moved"]["to"]) == ("openai/gpt-5.2", "openai/gpt-4o-mini")
    assert (events["pin moved"]["session"], events["pin moved"]["tenant"]) == (session, None)
    assert len(lines) == 3


def test_a_request_that_is_no_http_is_told_with_the_id_of_its_answer(as_json: Logging) -> None:
    answer = as_json.gateway.raw(b"no HTTP\r\n\r\n").decode()
    (request_id,) = re.findall(r"X-Request-Id: (\w+)", answer)

    (line,) = map(json.loads, as_json.lines_of(request_id))

    assert (line["message"], line["error"], line["status"]) == ("refused a request", "InvalidRequestMethod", 400)


def test_as_text_it_is_one_word_a_value(as_text: Logging, request_id: str, session: str) -> None:
    as_text.gateway.ask("POST", CHAT, body(), x_request_id=request_id, x_model_affinity=session)

    (line,) = as_text.lines_of(request_id)

    assert re.fullmatch(
        rf"\S+Z info plano\.access: method=POST path={CHAT} status=200 model=openai/gpt-4o-mini route=- pinned=false "
        rf"session={session} tenant=acme ms=[\d.]+ first_byte_ms=[\d.]+ request_id={request_id}",
        line,
    )


@pytest.mark.parametrize(
    ("path", "session", "shown"),
    [
        ("/a%0Ab%1b[31m", None, "path=/a?b?[31m "),
        ("/a%20status=200", None, r'path="/a status=200"'),
        ("/gr%C3%B6%C3%9Fe", None, 'path="/größe"'),
        ("/" + "x" * 999, None, f"path=/{'x' * 255} status=404"),
        (CHAT, 'two words "quoted"', r'session="two words \"quoted\""'),
        (CHAT, "b\u202ea\u2028c".encode(), "session=b?a?c "),
    ],
)
def test_what_a_client_names_is_cleaned(
    as_text: Logging, request_id: str, path: str, session: str | bytes | None, shown: str
) -> None:
    """A line is one line and says what we say; a terminal that shows it obeys nothing."""
    headers = {"x_model_affinity": session} if session else {}
    as_text.gateway.ask("POST", path, body(), x_request_id=request_id, **headers)

    (line,) = as_text.lines_of(request_id)

    assert f" {shown}" in line


def test_so_is_a_tenants_name(as_text: Logging, request_id: str) -> None:
    tenant = {sites.TENANT_HEADER: "b\u202ea\u2028c".encode()}
    as_text.gateway.ask("POST", CHAT, body(), x_request_id=request_id, **tenant)

    (line,) = as_text.lines_of(request_id)

    assert " tenant=b?a?c " in line


def test_it_can_be_left_out(start: Start, request_id: str) -> None:
    with start(sites.usual, ACCESS_LOG="0") as quiet:
        quiet.gateway.ask("POST", CHAT, body(), x_request_id=request_id)

        assert "plano.access" not in quiet.text()
