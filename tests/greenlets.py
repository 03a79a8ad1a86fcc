"""Runs a scene among threads, or among greenlets as the processes of a pool do."""

import json
import subprocess
import sys
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from tests.harness import ROOT

Play = Callable[..., Any]

_BEGIN = "from gevent import monkey; monkey.patch_all(); from tests import greenlets; greenlets.play()"
_ENDS_WITHIN_S = 180.0


def in_threads(scene: Callable[..., Any], *words: str) -> Any:
    """What the scene returns."""
    return scene(*words)


def in_greenlets(scene: Callable[..., Any], *words: str) -> Any:
    """What the scene returns, as JSON has it; it is called by its name, in another process."""
    name = f"{scene.__module__}:{scene.__qualname__}"
    command = [sys.executable, "-c", _BEGIN, name, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_ENDS_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def play() -> None:
    """Call the scene that the command line names, and print what it returns."""
    name, *words = sys.argv[1:]
    json.dump(resolve_name(name)(*words), sys.stdout)
