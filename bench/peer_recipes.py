"""How each peer is installed, set up for speed as its documentation says, and asked."""

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

INSTALL_S = 300
_VISIBLE = ("PATH", "HOME", "LANG", "TMPDIR")


class Absent(Exception):
    """A peer could not be installed or started; says why."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway to measure beside ours.

    In its texts {here} is where it is installed, {port} its own, {one} and {two} are the providers' ports,
    {redis} is Redis's, {config} its config file, and {session} the session of a request.
    """

    name: str
    package: str
    """With extras, as its registry knows it."""
    npm: bool = False
    command: str
    config: str = ""
    env: dict[str, str] = {}  # msgspec copies it
    headers: dict[str, str]
    settings: str
    """What was set, for the reader of the results."""
    target: str | None = None
    """How many times its requests a second ours should be."""

    def installed(self, cache: Path) -> str:
        """Its version; it is installed first if it is not there yet. Raises Absent."""
        here = cache / self._folder
        if not (here / "installed").exists():
            here.mkdir(parents=True, exist_ok=True)
            for command in self._steps(here):
                _run(command)
            (here / "installed").touch()
        try:
            return self._version(here)
        except (OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            raise Absent(f"is not where it was installed: {error}") from None

    def started_by(self, cache: Path, folder: Path, **facts: int) -> tuple[list[str], dict[str, str]]:
        """The command that starts it and the environment for it; its config is written into the folder."""
        config = folder / f"{self._folder}.config"
        names = {"here": str(cache / self._folder), "config": str(config), **facts}
        config.write_text(self.config.format(**names))
        env = {name: value for name, value in os.environ.items() if name in _VISIBLE}
        return shlex.split(self.command.format(**names)), {**env, **self.env}

    def headers_of(self, session: str, **facts: int) -> dict[str, str]:
        """The headers of a request of this session."""
        return {name: value.format(session=session, **facts) for name, value in self.headers.items()}

    @property
    def _folder(self) -> str:
        return self.name.lower()

    @property
    def _bare_package(self) -> str:
        return self.package.partition("[")[0]

    def _steps(self, here: Path) -> list[list[str]]:
        if self.npm:
            return [["npm", "install", "--no-audit", "--no-fund", "--prefix", str(here), self.package]]
        pip = [str(here / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", self.package]
        return [[sys.executable, "-m", "venv", str(here)], pip]

    def _version(self, here: Path) -> str:
        if self.npm:
            return str(json.loads((here / "node_modules" / self.package / "package.json").read_text())["version"])
        ask = f"from importlib.metadata import version; print(version({self._bare_package!r}))"
        command = [str(here / "bin" / "python"), "-c", ask]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def _run(command: list[str]) -> None:
    """A step of an installation; what it started ends with it. Raises Absent."""
    try:
        step = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    except OSError as error:
        raise Absent(f"not installed: {error}") from None
    try:
        said, _ = step.communicate(timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        raise Absent(f"not installed within {INSTALL_S} s: {shlex.join(command)}") from None
    finally:
        if step.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(step.pid, signal.SIGKILL)
            step.wait()
    if step.returncode:
        raise Absent(f"not installed: {' '.join(said.split())[-300:]}")


LITELLM = Peer(
    name="LiteLLM",
    package="litellm[proxy]",
    command="{here}/bin/litellm --config {config} --host 127.0.0.1 --port {port} --num_workers 1 --run_granian",
    config="""\
model_list:
  - model_name: openai/gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{one}/v1", api_key: sk-bench}}
    model_info: {{id: one}}
  - model_name: openai/gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{two}/v1", api_key: sk-bench}}
    model_info: {{id: two}}
router_settings:
  optional_pre_call_checks: [session_affinity]
  redis_host: 127.0.0.1
  redis_port: {redis}
litellm_settings: {{set_verbose: false, num_retries: 0, callbacks: []}}
general_settings: {{master_key: sk-bench-1234}}
""",
    env={"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    headers={"Authorization": "Bearer sk-bench-1234", "x-litellm-session-id": "{session}"},
    settings="1 Granian worker (faster here than uvicorn), session_affinity in Redis by host and port (not URL), "
    "LITELLM_MODE=PRODUCTION, LITELLM_LOG=ERROR, no callbacks, no database",
    target="≥ 20",
)
PORTKEY = Peer(
    name="Portkey",
    package="@portkey-ai/gateway",
    npm=True,
    command="node {here}/node_modules/@portkey-ai/gateway/build/start-server.js --port={port} --headless",
    env={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"},
    headers={
        "Authorization": "Bearer sk-bench",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": "http://127.0.0.1:{one}/v1",
    },
    settings="production build under Node, headless, provider by header: it relays and keeps no session",
    target="≥ 3.5",
)
SWITCHYARD = Peer(
    name="Switchyard",
    package="nemo-switchyard",
    command='{here}/bin/python -c "import sys, threading; from switchyard_rust.server import Server; '
    'server = Server(sys.argv[1], int(sys.argv[2])); threading.Event().wait()" {config} {port}',
    config="""\
schema_version = 1
[llm_clients.provider]
format = "openai_chat"
base_url = "http://127.0.0.1:{one}/v1"
[targets.judge]
id = "judge"
llm_client = "provider"
[targets.strong]
id = "openai/gpt-5.2"
llm_client = "provider"
[targets.weak]
id = "openai/gpt-4o-mini"
llm_client = "provider"
[routes.bench]
id = "openai/gpt-4o-mini"
type = "llm_classifier"
mode = "capability"
classifier_target = "judge"
strong_target = "strong"
weak_target = "weak"
base_threshold = 0.5
classify_trigger = "new_session"
""",
    env={"RUST_LOG": "error"},
    headers={"x-switchyard-session-id": "{session}"},
    settings="its Rust server from the wheel, a classifier asked once a session (new_session), "
    "kept in its own memory, RUST_LOG=error",
    target="≥ 0.5",
)
VLLM_ROUTER = Peer(
    name="vllm-router",
    package="vllm-router",
    command="{here}/bin/vllm-router --host 127.0.0.1 --port {port} --prometheus-port {spare} --log-level error "
    "--worker-urls http://127.0.0.1:{one} http://127.0.0.1:{two} --policy consistent_hash",
    headers={"x-session-id": "{session}"},
    settings="consistent_hash on the session's header, between two workers of one model; log level error",
)
PEERS = (LITELLM, PORTKEY, SWITCHYARD, VLLM_ROUTER)
