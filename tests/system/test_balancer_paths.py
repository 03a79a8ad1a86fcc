"""What the balancers of deploy/ let through to a replica: what is served to clients, and nothing else."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import ROOT, Pool, running
from tests.system.balancers import balancer, program

CONFIG = """
version: v0.4.0
model_providers: [{{model: openai/gpt-4o-mini, base_url: "{url}", access_key: sk, default: true}}]
routing: {{session_cache: {{type: memory}}}}
"""
SERVED = [
    ("HEAD", "/"),
    ("HEAD", "/api/hello"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/healthz"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/openai/gpt-4o-mini"),
    ("GET", "/v1/models/openai%2Fgpt-4o-mini"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/responses"),
    ("POST", "/v1/responses/compact"),
    ("GET", "/v1/responses/resp_1"),
    ("DELETE", "/v1/responses/resp_1"),
    ("POST", "/v1/responses/resp_1/cancel"),
    ("POST", "/routing/v1/chat/completions"),
    ("POST", "/routing/v1/messages"),
    ("POST", "/routing/v1/responses"),
]
MARK = "X-Request-Id: of-the-replica"
"""A replica returns it; a balancer's own refusal does not."""
NOT_SERVED = [
    "/", "/api", "/v1/messages/", "/v1/messages/batches", "/routing/v1/models", "/routing/",
    "/metrics", "/metrics?a", "/metrics/", "//metrics", "/%6detrics", "/%2fmetrics", "/./metrics", "/METRICS",
    "/v1/../metrics", "/v1/models/../../metrics", "/v1/models%2f..%2f..%2fmetrics",
    "/metrics/../v1/models", "/metrics;x", "/metrics#x", "///metrics", "/admin/login", "/admin/api/v1/pins",
    "/%61dmin/login", "//admin/login", "/v1//models", "/v1/models/", "http://x/metrics",
    "http://x/%6detrics", "/v1/models%0a", "/static/x",
    "/v1/responses/../../metrics", "/v1/responses/..%2f..%2fmetrics",
]  # fmt: skip
BODY = b'{"messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with Provider() as provider:
        folder: Path = tmp_path_factory.mktemp("replica")
        pool = Pool(
            folder, CONFIG.format(url=provider.url), "redis://127.0.0.1:1", PLANO_ADMIN_TOKEN="operators-only"
        )
        with running(pool):
            port = free_port()
            pool.web(port)
            yield port


@pytest.fixture(scope="module", params=["haproxy", "nginx", "none"])
def port(request: pytest.FixtureRequest, replica: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The balancer's; with none, the replica's own."""
    if request.param == "none":
        yield replica
        return
    if program(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with ExitStack() as stack:
        yield stack.enter_context(balancer(request.param, tmp_path_factory.mktemp(request.param), [replica]))[0]


def ask(port: int, method: str, path: str, *headers: str) -> tuple[int, bytes, bytes]:
    """The status, the head and the body for a path that is sent as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += "".join(f"{line}\r\n" for line in ("Authorization: Bearer operators-only", *headers))
        body = BODY if method == "POST" else b""
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head_of_it, _, content = answer.partition(b"\r\n\r\n")
    return int(head_of_it.split()[1]), head_of_it.lower(), content


@pytest.mark.parametrize(("method", "path"), SERVED)
def test_what_is_served_passes(port: int, replica: int, method: str, path: str) -> None:
    """It comes to a replica, and the balancer passes the replica's answer on."""
    status, head, _ = ask(port, method, path, MARK)

    assert status == ask(replica, method, path)[0]
    assert MARK.lower().encode() in head or status == 200


def test_codex_is_told_of_no_web_socket_through_a_balancer(port: int) -> None:
    assert ask(port, "GET", "/v1/responses", "Upgrade: websocket")[0] == 426


@pytest.mark.parametrize("path", NOT_SERVED)
def test_nothing_else_does(port: int, replica: int, path: str) -> None:
    """However the path is written; the replica by itself has its counters and the operator's pages besides."""
    replicas = {"/metrics", "/metrics?a", "/admin/login", "/admin/api/v1/pins", "http://x/metrics"}
    own = replicas if port == replica else set()

    status, _, content = ask(port, "GET", path)

    assert (status == 200) is (path in own)
    assert path in own or status in (400, 404, 405)
    assert path in own or b"plano_" not in content


@pytest.mark.parametrize(
    "path",
    ["/v1/messages/batches", "/v1/messages/", "/routing/v1/models", "/routing/", "/api", "/livez/x", "/readyzx"],
)
def test_what_is_not_served_does_not_come_to_a_replica(port: int, replica: int, path: str) -> None:
    """Which would refuse it, too, until it has something there."""
    status, head, _ = ask(port, "GET", path, MARK)

    assert status == 404
    assert (MARK.lower().encode() in head) is (port == replica)


def test_the_refusal_of_a_balancer_looks_like_the_gateways(port: int) -> None:
    assert list(json.loads(ask(port, "GET", "/nothing")[2])["error"]) == ["message", "type", "param", "code"]


def test_the_balancers_know_the_endpoints_that_the_gateway_has() -> None:
    """Whoever adds one adds it to both files, and to the list above."""
    views = "".join(path.read_text() for path in (ROOT / "web/api").glob("*.py"))
    endpoints = set(re.findall(r'@bp\.(?:get|post|delete|route)\(\s*"([^"]+)"', views)) - {"/metrics"}
    patterns = {re.sub("<path:[^>]+>", ".+", re.sub("<[^:>]+>", "[^/]+", endpoint)) for endpoint in endpoints}
    haproxy = (ROOT / "deploy/haproxy.cfg").read_text()
    exact = " ".join(re.findall(r"acl served path (.*)", haproxy)).split()
    begins = tuple(" ".join(re.findall(r"acl served path_beg (.*)", haproxy)).split())
    nginx = re.findall(r"location ~ (\^/\(.*\)\$) ", (ROOT / "deploy/nginx.conf").read_text())[0]

    for _, path in SERVED:
        assert path in exact or path.startswith(begins)
        assert re.search(nginx, path)
    for pattern in patterns:
        assert any(re.fullmatch(pattern, path) for _, path in SERVED), pattern
    assert set(exact) <= {path for _, path in SERVED}
