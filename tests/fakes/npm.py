"""Coding agents as npm has them, installed once into the folder for temporary files."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

AGENTS = {
    "claude": ("@anthropic-ai/claude-code", "2.1.330"),
    "codex": ("@openai/codex", "0.169.0"),
    "opencode": ("opencode-ai", "1.18.33"),
}
"""The package of each and its version, by the name of its program."""
RUN = {
    "claude": ["-p", "Run two commands", "--allowedTools", "Bash"],
    "codex": ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Run two commands"],
    "opencode": ["run", "Run two commands"],
}
"""How each is given one task, without a person."""
_QUIET = dict.fromkeys(
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "OPENCODE_DISABLE_AUTOUPDATE"), "1"
)
_NOT_INHERITED = ("ANTHROPIC_", "OPENAI_", "CLAUDE", "CODEX", "OPENCODE", "PLANO_")
_INSTALLS_WITHIN_S = 300


class Unavailable(Exception):
    """An agent cannot be installed here; says why."""


def installed(name: str) -> Path:
    """The agent's program; raises Unavailable where npm or its registry cannot be reached."""
    package, version = AGENTS[name]
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    folder = Path(tempfile.gettempdir()) / f"plano-agents-{os.getuid()}" / f"{name}-{version}"
    program = folder / "node_modules/.bin" / name
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--prefix", str(folder))
    try:
        done = subprocess.run(
            [npm, "install", *options, f"{package}@{version}"],
            capture_output=True, text=True, timeout=_INSTALLS_WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not install {package} in time") from None
    if done.returncode:
        said = (done.stderr.splitlines() or ["no reason"])[-1][:200]
        raise Unavailable(f"npm cannot install {package}: {said}")
    return program


def environment(home: Path) -> dict[str, str]:
    """That of a user with this home, who has set nothing for any agent."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    folders = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    return {**inherited, **_QUIET, **folders, "HOME": str(home)}
