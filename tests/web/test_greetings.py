"""What clients ask before their first request."""

import pytest

from tests.web.gateway import Gateway, Webs, error_of


@pytest.mark.parametrize("path", ["/", "/api/hello", "/?beta=true"])
def test_whoever_asks_is_told_that_somebody_is_there(webs: Webs, path: str) -> None:
    """Claude Code asks without its key."""
    answer = webs.strict.ask("HEAD", path, authorization="")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/api/hello"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_there_is_nothing_more_to_see(web: Gateway, method: str, path: str) -> None:
    answer = web.ask(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, "HEAD")


def upgrade(path: str, to: str) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()


@pytest.mark.parametrize("word", ["websocket", "WebSocket"])
def test_codex_is_told_at_once_to_use_http(web: Gateway, word: str) -> None:
    """After 404 or 405 it tries seven times in six seconds, with an error each time."""
    with web.connected() as connection:
        connection.sendall(upgrade("/v1/responses", word))
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 426 ")


def test_anybody_else_is_told_the_method(web: Gateway) -> None:
    answer = web.ask("GET", "/v1/responses")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert error_of(answer)["code"] == "method_not_allowed"


def test_the_connection_goes_on_after_a_426(web: Gateway) -> None:
    with web.connected() as connection:
        connection.sendall(upgrade("/v1/responses", "websocket"))
        connection.recv(65536)
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
