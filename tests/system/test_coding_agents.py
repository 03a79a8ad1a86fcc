"""Coding agents as npm has them: each runs two commands through two replicas, told nothing but the address."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import redis

from tests.fakes import npm
from tests.fakes.agentic import DELEGATE, DONE, Agentic
from tests.fakes.npm import RUN
from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.system.balancers import balancer

RESUME = {
    "claude": ["-p", "Once more", "--continue", "--allowedTools", "Bash"],
    "codex": [
        "exec", "resume", "--last", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
        "Once more",
    ],
}  # fmt: skip
CONFIG = """
version: v0.4.0
model_providers:
  - {{model: of-chat/m, base_url: "{url}", provider_interface: openai, access_key: k, default: true}}
  - {{model: of-chat/mini, base_url: "{url}", provider_interface: openai, access_key: k}}
  - {{model: of-messages/m, base_url: "{url}", provider_interface: anthropic, apis: [messages], access_key: k}}
  - {{model: of-messages/other, base_url: "{url}", provider_interface: anthropic, apis: [messages], access_key: k}}
  - {{model: of-responses/m, base_url: "{url}", provider_interface: openai, apis: [responses], access_key: k}}
  - {{model: of-both/m, base_url: "{url}", provider_interface: openai, apis: [chat, responses], access_key: k}}
"""
RUNS_WITHIN_S = 240


class Site(msgspec.Struct, frozen=True):
    """Two replicas behind a balancer, their Redis and their provider."""

    port: int
    provider: Agentic
    cache: redis.Redis

    def pins(self) -> dict[str, str]:
        """Session and lane of each pin, and the model."""
        found = {key.decode().removeprefix("plano:affinity:"): self.cache.get(key) for key in self._keys()}
        return {name: msgspec.json.decode(pin)["model_name"] for name, pin in found.items() if pin}

    def forget(self) -> None:
        """Begin anew."""
        for key in self._keys():
            self.cache.delete(key)
        self.provider.clear()

    def in_loops(self) -> list[str | None]:
        """The models that were asked with tools, turn by turn."""
        return [request.model for request in self.provider.requests if request.json and request.json.get("tools")]

    def _keys(self) -> list[bytes]:
        return list(self.cache.scan_iter("plano:affinity:*"))


class Agent(msgspec.Struct, frozen=True):
    """An agent of one user."""

    name: str
    program: Path
    home: Path

    def connect(self, site: Site, model: str) -> None:
        """Have `plano connect` write the agent's settings."""
        command: list[str | Path] = [
            Path(sys.executable).with_name("plano"),
            "connect",
            self.name,
            "--write",
            "--model",
            model,
        ]
        told = self._run([*command, "--url", f"http://127.0.0.1:{site.port}"])
        assert told.returncode == 0, told.stdout + told.stderr
        site.forget()

    def run(self, arguments: list[str]) -> None:
        """Run it to its end."""
        ended = self._run([self.program, *arguments])
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert DONE in ended.stdout

    def _run(self, command: list[str | Path]) -> "subprocess.CompletedProcess[str]":
        work = self.home / "work"
        work.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            command, cwd=work, env=npm.environment(self.home), text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=RUNS_WITHIN_S, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    try:
        with contextlib.ExitStack() as stack:
            provider = stack.enter_context(Agentic())
            ports = [free_port(), free_port()]
            for port in ports:
                pool = Pool(tmp_path_factory.mktemp("web"), CONFIG.format(url=provider.url), server.url)
                stack.enter_context(running(pool)).web(port)
            front, _ = stack.enter_context(balancer("stand-in", tmp_path_factory.mktemp("balancer"), ports))
            cache = stack.enter_context(server.client())
            yield Site(front, provider, cache)
    finally:
        server.stop()


def agent(name: str, home: Path) -> Agent:
    """One that is installed; skips where it cannot be."""
    try:
        return Agent(name, npm.installed(name), home)
    except npm.Unavailable as reason:
        pytest.skip(str(reason))


def session_of(pin: str) -> str:
    return pin.partition("~")[0]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude", "of-messages/m"),
        ("claude", "of-chat/m"),
        ("claude", "of-both/m"),
        ("codex", "of-responses/m"),
        ("codex", "of-messages/m"),
        ("opencode", "of-chat/m"),
        ("opencode", "of-messages/m"),
    ],
)
def test_an_agents_loop_is_one_session_on_one_model(site: Site, tmp_path: Path, name: str, model: str) -> None:
    """Whatever API the model's provider speaks; a call for a title has a pin of its own."""
    one = agent(name, tmp_path)
    one.connect(site, model)

    one.run(RUN[name])

    asked = b"".join(request.body for request in site.provider.requests)
    assert site.in_loops() == ["m"] * 3
    assert b"step-1" in asked
    assert b"step-2" in asked
    pins = site.pins()
    assert len({session_of(pin) for pin in pins}) == 1
    assert [pin for pin, pinned in pins.items() if pinned == model] == [f"{session_of(next(iter(pins)))}~{model}"]
    assert len(pins) == (2 if name == "opencode" else 1)  # the one that asks for a title here


@pytest.mark.parametrize("name", RESUME)
def test_to_resume_is_to_stay_in_the_session(site: Site, tmp_path: Path, name: str) -> None:
    """Its pin decides, whatever the agent asks for: it is moved here by hand."""
    one = agent(name, tmp_path)
    one.connect(site, "of-messages/m")
    one.run(RUN[name])
    (pin,) = site.pins()
    site.cache.set(f"plano:affinity:{pin}", '{"model_name":"of-messages/other","route_name":null}', ex=600)

    one.run(RESUME[name])

    assert list(site.pins()) == [pin]
    assert site.in_loops()[3:]
    assert set(site.in_loops()[3:]) == {"other"}


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_two_runs_at_once_are_two_sessions(site: Site, tmp_path: Path, name: str) -> None:
    both = [agent(name, tmp_path / user) for user in ("one", "other")]
    for each in both:
        each.connect(site, "of-chat/m")

    with ThreadPoolExecutor(2) as together:
        list(together.map(lambda each: each.run(RUN[name]), both))

    assert len({session_of(pin) for pin in site.pins()}) == 2
    assert len(site.in_loops()) == 6


def test_a_subagent_has_a_pin_of_its_own(site: Site, tmp_path: Path) -> None:
    one = agent("claude", tmp_path)
    one.connect(site, "of-messages/m")

    one.run(["-p", f"{DELEGATE} run two commands", "--allowedTools", "Bash,Agent"])

    session = session_of(next(iter(site.pins())))
    lanes = sorted(pin.removeprefix(session) for pin in site.pins())
    assert lanes[-1] == "~of-messages/m"
    assert [lane.partition(".")[0] for lane in lanes[:-1]] == ["~agent"]
