"""Where our packages lie, and that importing them does nothing."""

import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

from tests.harness import ROOT

PACKAGES = ("shared", "web", "workers")
ACTIVE = {"web.wsgi", "web.server.gunicorn_conf", "workers.__main__", "workers.clock"}
"""What a process starts with: it may set the process up."""
MOST_MODULES = 11
"""A folder with more has two subjects."""


def modules() -> list[str]:
    paths = [str(ROOT / package) for package in PACKAGES]
    found = [
        name
        for package, path in zip(PACKAGES, paths, strict=True)
        for name in (package, *(info.name for info in pkgutil.walk_packages([path], f"{package}.")))
    ]
    return [name for name in found if name not in ACTIVE]


WATCH = """
import importlib, json, os, sys, threading

seen = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.system", "signal.")) or (
        event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    ):
        seen.append(f"{event} {args[:2]}")

def state():
    return dict(os.environ), os.getcwd(), sys.getrecursionlimit(), len(os.listdir("/proc/self/task"))

import socket, urllib3  # which tries by itself whether the machine has IPv6
kinds = socket.socket, threading.Thread
sys.dont_write_bytecode = True
sys.addaudithook(watch)
said = {}
for name in json.loads(sys.argv[1]):
    before = state()
    importlib.import_module(name)
    traces = list(seen)
    if state() != before:
        traces.append("the process is another one")
    if threading.enumerate() != [threading.main_thread()]:
        traces.append(f"threads {threading.enumerate()}")
    if (socket.socket, threading.Thread) != kinds:
        traces.append("patched by gevent")
    if traces:
        said[name] = traces
    seen.clear()
print(json.dumps(said))
"""


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_our_packages_are_ours(package: str) -> None:
    """An editable install ends the search path: a `web` in site-packages would win in console scripts."""
    module = importlib.import_module(package)

    assert list(module.__path__) == [str(ROOT / package)]


def test_no_folder_is_a_shelf() -> None:
    """Who looks for something has few names to read in each folder."""
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")}

    counts = {str(folder.relative_to(ROOT)): len([*folder.glob("[!_]*.py")]) for folder in folders}

    assert len(counts) > 20
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_importing_does_nothing() -> None:
    """No thread, no socket, no file, no other environment: objects meet in bootstrap, when a process asks."""
    names = modules()

    run = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps(names)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert len(names) > 40
    assert run.stderr == ""
    assert json.loads(run.stdout) == {}
