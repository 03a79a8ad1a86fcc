"""A web process that is told to end loses nothing; a client that has gone ends what it asked for."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.fakes.provider import Provider
from tests.harness import Pool, wait_until
from tests.system.asking import DEEP, ask


@contextmanager
def streaming(port: int, session: str) -> Iterator[requests.Response]:
    """A stream that has begun."""
    body = {"messages": [{"role": "user", "content": DEEP}], "stream": True}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"X-Model-Affinity": session}
    with requests.post(url, json=body, headers=headers, stream=True, timeout=30) as answer:
        yield answer


def test_readiness_fails_at_once_and_every_answer_closes_its_connection(
    start: Callable[..., Pool], ports: tuple[int, int]
) -> None:
    pool = start(env={"DRAIN_DELAY": "4"})
    _, (web,) = pool.serve(ports[0])
    with requests.Session() as kept:
        kept.get(f"http://127.0.0.1:{ports[0]}/readyz", timeout=5)

        web.send(signal.SIGTERM)
        wait_until(lambda: not _get(ports[0], "/readyz").ok, within_s=3, what="the end of readiness")
        not_ready = _get(ports[0], "/readyz")
        still_served = ask(ports[0], "late", DEEP)
        on_the_kept_one = kept.get(f"http://127.0.0.1:{ports[0]}/livez", timeout=5)

    assert (not_ready.status_code, not_ready.json()["draining"]) == (503, True)
    assert still_served.ok
    assert on_the_kept_one.headers["Connection"] == "close"
    assert web.stop() == 0


def test_a_running_stream_ends_by_itself(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start(env={"GRACEFUL_TIMEOUT": "10"})
    _, (web,) = pool.serve(ports[0])
    provider.pause = 0.2
    with streaming(ports[0], "s") as answer:
        lines = answer.iter_lines()
        next(lines)

        web.send(signal.SIGTERM)
        rest = [line for line in lines if line]

    assert rest[-1] == b"data: [DONE]"
    assert web.stop() == 0


def test_a_stream_that_does_not_end_is_ended_with_an_error_event(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider
) -> None:
    pool = start(env={"GRACEFUL_TIMEOUT": "1"})
    _, (web,) = pool.serve(ports[0])
    provider.pause = 5
    with streaming(ports[0], "s") as answer:
        lines = answer.iter_lines()
        next(lines)

        web.send(signal.SIGTERM)
        rest = [line for line in lines if line]

    assert b"shutting down" in rest[-1]
    assert web.stop() == 0


def test_idle_connections_do_not_hold_the_end(start: Callable[..., Pool], ports: tuple[int, int]) -> None:
    pool = start(env={"GRACEFUL_TIMEOUT": "30"})
    web = pool.web(ports[0])
    with requests.Session() as kept:
        kept.get(f"http://127.0.0.1:{ports[0]}/livez", timeout=5)

        code = web.stop(within_s=15)

    assert code == 0


@pytest.mark.parametrize("kind", ["waiting", "streaming", "silent stream"])
def test_a_client_that_leaves_ends_its_request_at_the_provider(
    start: Callable[..., Pool], ports: tuple[int, int], provider: Provider, kind: str
) -> None:
    """Within seconds, whether or not the provider ever says anything again."""
    pool = start()
    pool.serve(ports[0])
    ask(ports[0], "s", DEEP)
    provider.clear()
    if kind == "waiting":
        provider.behave("hang")
    provider.pause = {"waiting": 0, "streaming": 1, "silent stream": 60}[kind]

    client = _raw_request(ports[0], stream=kind != "waiting")
    wait_until(lambda: provider.open, what="the request at the provider")
    client.close()

    wait_until(lambda: provider.left, within_s=5, what="the end of the request at the provider")
    provider.release()


def _get(port: int, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=5)


def _raw_request(port: int, *, stream: bool) -> socket.socket:
    """A request whose answer is not read."""
    flag = "true" if stream else "false"
    content = f'{{"messages":[{{"role":"user","content":"{DEEP}"}}],"stream":{flag}}}'
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Model-Affinity: s\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    client.sendall((head + content).encode())
    return client
