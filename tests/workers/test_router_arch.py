"""The call to a router model."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from shared.config import routing_section
from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route
from shared.errors import RouterDown
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.greenlets import in_greenlets
from tests.harness import wait_until
from workers.router import build
from workers.router.arch_router import ArchRouter
from workers.router.prompt import Prompt

ROUTES = (
    Route("deep_reasoning", "complex analysis, proofs", ("openai/a",)),
    Route("translation", "translating text between languages", ("openai/b",)),
)
ASKED = (Message("user", "Please work on translating this secret-content"),)
TRACE = Trace("req-1", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
KEY = "sk-secret"
SOON_MS = 2000
"""Far less than the routers of these tests would take by themselves."""

DRIPPED = {
    "head": (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}
"""How an answer begins, and what then comes again and again."""

Make = Callable[..., ArchRouter]


@pytest.fixture
def server() -> Iterator[Router]:
    with Router() as router:
        yield router
        router.behave(None)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ArchRouter] = []

    def new(url: str, *, timeout_ms: int = 3000, api_key: str | None = None, pool_size: int = 8) -> ArchRouter:
        config = routing_section.Router(url=url, model="Arch-Router", api_key=api_key, timeout_ms=timeout_ms)
        made.append(ArchRouter(config, Prompt.load(), pool_size=pool_size))
        return made[-1]

    yield new
    for router in made:
        router.close()


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what no HTTP library would; it serves one connection."""

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection:  # the client leaves, as it should
            connection.settimeout(5)
            connection.recv(65536)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)  # on a busy machine a client may leave before it has come
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join()


def drip(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Bytes that never stop and never end anything."""
    gone = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            connection.sendall(piece)
            gone.wait(0.02)

    return answer


def elapsed_ms(router: ArchRouter) -> float:
    """How long a call takes that must fail."""
    start = time.monotonic()
    with pytest.raises(RouterDown):
        router.choose(ROUTES, ASKED, TRACE)
    return (time.monotonic() - start) * 1000


def test_it_answers_the_route_that_the_model_names(server: Router, make: Make) -> None:
    assert make(server.url).choose(ROUTES, ASKED, TRACE) == "translation"


def test_it_answers_none_when_no_route_fits(server: Router, make: Make) -> None:
    assert make(server.url).choose(ROUTES, [Message("user", "hi")], TRACE) is None


def test_the_request_is_what_the_protocol_says(server: Router, make: Make) -> None:
    make(server.url, api_key=KEY).choose(ROUTES, ASKED, TRACE)

    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert list(request.json) == ["model", "messages", "temperature"]
    assert request.json["model"] == "Arch-Router"
    assert request.json["messages"] == [{"role": "user", "content": Prompt.load().render(ROUTES, ASKED)}]
    assert request.json["temperature"] == 0.01
    assert request.header("content-type") == "application/json"
    assert request.header("traceparent") == TRACE.traceparent
    assert request.header("x-request-id") == TRACE.request_id
    assert request.header("authorization") == f"Bearer {KEY}"


def test_without_a_key_no_credential_is_sent(
    server: Router, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither from ~/.netrc nor through a proxy of the environment."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    make(server.url).choose(ROUTES, ASKED, TRACE)

    assert server.requests[0].header("authorization") is None


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_url_without_a_path_means_v1(server: Router, make: Make, suffix: str) -> None:
    url = server.url.removesuffix("/v1") + suffix

    make(url).choose(ROUTES, ASKED, TRACE)

    assert server.requests[0].path == "/v1/chat/completions"


@pytest.mark.parametrize(("routes", "messages"), [((), ASKED), (ROUTES, ())])
def test_without_routes_or_messages_nobody_is_asked(
    server: Router, make: Make, routes: Sequence[Route], messages: Sequence[Message]
) -> None:
    assert make(server.url).choose(routes, messages, TRACE) is None
    assert server.calls == 0


def test_the_routes_never_change_their_order(server: Router, make: Make) -> None:
    router = make(server.url)

    for _ in range(5):
        router.choose(ROUTES, ASKED, TRACE)

    prompts = {request.json["messages"][0]["content"] for request in server.requests}
    assert len(prompts) == 1


@pytest.mark.parametrize(
    "answer",
    ["{'route': 'translation'}", '```json\n{"route": "translation"}\n```', '{"route": ["x", "translation"]}'],
)
def test_an_answer_may_be_loosely_written(server: Router, make: Make, answer: str) -> None:
    server.answer = answer

    assert make(server.url).choose(ROUTES, ASKED, TRACE) == "translation"


@pytest.mark.parametrize("code", [301, 400, 401, 404, 429, 500, 503])
def test_a_status_that_is_no_success_is_a_router_error(server: Router, make: Make, code: int) -> None:
    server.behave("status", code=code, headers={"Location": server.url, "Retry-After": "0"})

    with pytest.raises(RouterDown, match=rf"^the router at 127\.0\.0\.1:{server.port} answered with status {code}$"):
        make(server.url).choose(ROUTES, ASKED, TRACE)

    assert server.calls == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"message":{"content":null}}]}',
        b'{"choices":[{"text":"{}"}]}',
        b'{"choices":[{"message":{"content":"I would say translation"}}]}',
        b'{"choices":' + b"[" * 20000,
    ],
)
def test_an_answer_of_another_shape_is_a_router_error(server: Router, make: Make, body: bytes) -> None:
    server.behave("status", code=200, body=body)

    with pytest.raises(RouterDown):
        make(server.url).choose(ROUTES, ASKED, TRACE)

    assert server.calls == 1


def test_an_endless_answer_is_not_read(server: Router, make: Make) -> None:
    server.behave("status", code=200, body=b'{"choices":[{"message":{"content":"%s"}}]}' % (b"x" * 70_000))

    with pytest.raises(RouterDown, match="more than 65536 bytes"):
        make(server.url).choose(ROUTES, ASKED, TRACE)


@pytest.mark.parametrize("kind", ["close", "half_body", "not_json"])
def test_a_broken_answer_is_a_router_error_and_not_asked_for_again(server: Router, make: Make, kind: str) -> None:
    server.behave(kind)

    with pytest.raises(RouterDown):
        make(server.url).choose(ROUTES, ASKED, TRACE)

    assert server.calls == 1


def test_a_router_that_hangs_ends_with_the_time_limit(server: Router, make: Make) -> None:
    server.behave("hang")

    assert 700 <= elapsed_ms(make(server.url, timeout_ms=700)) < SOON_MS
    wait_until(lambda: server.calls, what="the call")
    assert server.calls == 1


@pytest.mark.parametrize("part", DRIPPED)
def test_a_router_that_drips_ends_with_the_time_limit(part: str) -> None:
    """Every byte comes in time; the whole answer does not."""
    took_ms = in_greenlets(dripped_ms, part)

    assert 100 <= took_ms < SOON_MS


def dripped_ms(part: str) -> float:
    """How long a call takes of whose answer this part never ends."""
    with raw_server(drip(*DRIPPED[part])) as url:
        router = ArchRouter(routing_section.Router(url=url, model="Arch-Router", timeout_ms=100), Prompt.load())
        return elapsed_ms(router)


def test_nobody_listening_is_a_router_error(make: Make) -> None:
    port = free_port()

    with pytest.raises(RouterDown, match=f"the router at 127.0.0.1:{port} could not be asked"):
        make(f"http://127.0.0.1:{port}/v1").choose(ROUTES, ASKED, TRACE)


@pytest.mark.parametrize("kind", ["close", "status", "not_json", "half_body"])
def test_an_error_shows_neither_key_nor_content(server: Router, make: Make, kind: str) -> None:
    server.behave(kind)
    url = server.url.replace("//", "//someone:hidden@")

    with pytest.raises(RouterDown) as caught:
        make(url, api_key=KEY).choose(ROUTES, ASKED, TRACE)

    assert not re.search(f"{KEY}|hidden|secret-content", str(caught.value))
    assert f"127.0.0.1:{server.port}" in str(caught.value)


@pytest.mark.parametrize("request_id", ["ünï-✓", "a\r\nx-evil: 1", "half \ud800"])
def test_an_odd_request_id_is_at_worst_a_router_error(server: Router, make: Make, request_id: str) -> None:
    try:
        make(server.url).choose(ROUTES, ASKED, Trace(request_id, TRACE.traceparent))
    except RouterDown:
        assert server.calls == 0
    else:
        assert server.requests[0].header("x-evil") is None


def test_connections_are_kept_and_used_again(server: Router, make: Make) -> None:
    router = make(server.url)

    for _ in range(5):
        router.choose(ROUTES, ASKED, TRACE)

    assert (server.calls, server.connections) == (5, 1)


def test_many_ask_at_once_and_none_waits_for_a_connection(server: Router, make: Make) -> None:
    router = make(server.url, pool_size=4)
    server.behave("hang")

    with ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(router.choose, ROUTES, ASKED, TRACE) for _ in range(24)]
        wait_until(lambda: server.hanging == 24, what="all calls")
        server.behave(None)

    assert [said.result() for said in asked] == ["translation"] * 24


def test_a_connection_closed_while_idle_fails_no_decision(server: Router, make: Make) -> None:
    router = make(server.url)
    router.choose(ROUTES, ASKED, TRACE)

    server.close()
    server.start()

    assert router.choose(ROUTES, ASKED, TRACE) == "translation"


def test_a_router_that_was_away_is_asked_again(server: Router, make: Make) -> None:
    router = make(server.url, timeout_ms=1000)
    server.behave("hang")
    with pytest.raises(RouterDown, match="gave no answer within 1000 ms"):
        router.choose(ROUTES, ASKED, TRACE)

    server.behave(None)

    assert router.choose(ROUTES, ASKED, TRACE) == "translation"


def test_a_config_with_a_url_asks_that_router(server: Router, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("OWN <routes>{routes}</routes> <conversation>{conversation}</conversation>", "utf-8")
    router = build(routing_section.Router(url=server.url, model="mine", prompt_file=str(own)))

    route = router.choose(ROUTES, ASKED, TRACE)

    assert route == "translation"
    assert server.requests[0].model == "mine"
    assert json.loads(server.requests[0].body)["messages"][0]["content"].startswith("OWN <routes>[")
