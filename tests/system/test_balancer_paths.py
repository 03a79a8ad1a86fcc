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
SERVED = {
    ("GET", "/livez"): 200,
    ("GET", "/readyz"): 200,
    ("GET", "/healthz"): 200,
    ("GET", "/v1/models"): 200,
    ("POST", "/v1/chat/completions"): 200,
    ("POST", "/routing/v1/chat/completions"): 200,
}
NOT_SERVED = [
    "/", "/metrics", "/metrics?a", "/metrics/", "//metrics", "/%6detrics", "/%2fmetrics", "/./metrics", "/METRICS",
    "/v1/../metrics", "/v1/models/../../metrics", "/v1/models%2f..%2f..%2fmetrics",
    "/metrics/../v1/models", "/metrics;x", "/metrics#x", "///metrics", "/admin/", "/admin/pins", "/%61dmin/pins",
    "//admin/pins", "/v1//models", "/v1/models/", "http://x/metrics",
    "http://x/%6detrics", "/v1/models%0a", "/static/x",
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


def ask(port: int, method: str, path: str) -> tuple[int, bytes]:
    """The status and the body for a path that is sent as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += "Authorization: Bearer operators-only\r\n"
        body = BODY if method == "POST" else b""
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head_of_it, _, content = answer.partition(b"\r\n\r\n")
    return int(head_of_it.split()[1]), content


@pytest.mark.parametrize(("method", "path"), SERVED)
def test_what_is_served_passes(port: int, method: str, path: str) -> None:
    assert ask(port, method, path)[0] == SERVED[method, path]


@pytest.mark.parametrize("path", NOT_SERVED)
def test_nothing_else_does(port: int, replica: int, path: str) -> None:
    """However the path is written; the replica by itself has its counters and the operator's page besides."""
    own = {"/metrics", "/metrics?a", "/admin/", "/admin/pins", "http://x/metrics"} if port == replica else set()

    status, content = ask(port, "GET", path)

    assert (status == 200) is (path in own)
    assert path in own or status in (400, 404)
    assert path in own or b"plano_" not in content


def test_the_refusal_of_a_balancer_looks_like_the_gateways(port: int) -> None:
    assert list(json.loads(ask(port, "GET", "/nothing")[1])["error"]) == ["message", "type", "param", "code"]


def test_the_balancers_know_the_endpoints_that_the_gateway_has() -> None:
    """Whoever adds one adds it to both."""
    views = "".join(path.read_text() for path in (ROOT / "web/api").glob("*.py"))
    endpoints = set(re.findall(r'@bp\.(?:get|post)\("([^"]+)"', views)) - {"/metrics"}
    haproxy = re.findall(r"acl served path (.*)", (ROOT / "deploy/haproxy.cfg").read_text())[0].split()
    nginx = re.findall(r"location ~ \^/\((.*)\)\$ ", (ROOT / "deploy/nginx.conf").read_text())[0].split("|")

    assert set(haproxy) == {f"/{path}" for path in nginx} == endpoints == {path for _, path in SERVED}
