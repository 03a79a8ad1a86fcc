"""A whole pool for each test that asks for one: the Procfile's commands, a private Redis, stand-ins outside."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running
from tests.system import balancers
from tests.system.demo_scripts import marked

CONFIG = """
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: "{provider}", provider_interface: openai, default: true}}
  - {{model: openai/gpt-5.2, base_url: "{provider}", provider_interface: openai}}
{providers}
routing_preferences:
  - {{name: deep_reasoning, description: complex analysis and review, models: [openai/gpt-5.2, openai/gpt-4o-mini]}}
  - {{name: fast_responses, description: quick facts and small talk, models: [openai/gpt-4o-mini]}}
routing:
  session_ttl_seconds: {ttl}
  decision_timeout_ms: {budget_ms}
  session_cache: {{type: redis}}
  router: {{url: "{router}", model: Arch-Router{router_more}}}
  {routing}
{tracing}
{listener}
"""


def config_text(provider: Provider, router: Router, **changes: object) -> str:
    """The config of a pool, with what the test wants otherwise."""
    usual = {
        "ttl": 600,
        "budget_ms": 2000,
        "router_more": "",
        "tracing": "",
        "routing": "",
        "listener": "",
        "providers": "",
    }
    return CONFIG.format(**{"provider": provider.url, "router": router.url, **usual, **changes})


@pytest.fixture(scope="module", params=balancers.NAMES)
def balancer_name(request: pytest.FixtureRequest) -> str:
    """Each of the balancers that this machine has."""
    name: str = request.param
    if not balancers.program(name):
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The stand-in provider."""
    with Provider() as server:
        yield server


@pytest.fixture
def router() -> Iterator[Router]:
    """The stand-in router model."""
    with Router() as server:
        yield server


@pytest.fixture
def redis_of_its_own(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def start(
    tmp_path: Path, provider: Provider, router: Router, redis_of_its_own: RedisServer
) -> Iterator[Callable[..., Pool]]:
    """Makes a pool; its processes are the test's to start."""
    pools: list[Pool] = []

    def pool(env: dict[str, str] | None = None, **changes: object) -> Pool:
        text = config_text(provider, router, **changes)
        pools.append(Pool(tmp_path, text, redis_of_its_own.url, **(env or {})))
        return pools[-1]

    yield pool
    for made in pools:
        with running(made):
            pass


@pytest.fixture
def ports() -> tuple[int, int]:
    """Two ports that nothing listens on."""
    return free_port(), free_port()


@pytest.fixture
def mark() -> Iterator[str]:
    """What all that a demo's script starts is known by; what is left at the end is killed."""
    name = uuid.uuid4().hex
    yield name
    for process in marked(name):
        process.kill()
