"""The balancers that deploy/ configures, run in front of replicas on this machine, and one that needs no program."""

import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.ports import free_port
from tests.harness import ROOT, STARTS_WITHIN_S, Process, wait_until
from tests.system.asking import ready

NAMES = ("stand-in", "haproxy", "nginx")
"""The first one is everywhere, the others are where they are installed."""
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"


def program(name: str) -> str | None:
    """Where a balancer is installed; None: nowhere."""
    return sys.executable if name == "stand-in" else shutil.which(name, path=_PATH)


@contextlib.contextmanager
def balancer(name: str, folder: Path, replicas: list[int]) -> Iterator[tuple[int, Process]]:
    """Its port and its process, once it deals requests out to the replicas, which are told by their ports."""
    found = program(name)
    assert found, f"{name} is not installed"
    port = free_port()
    write = {"stand-in": stand_in, "haproxy": haproxy, "nginx": nginx}[name]
    process = Process([found, *write(folder, port, replicas)], folder / f"{name}.log", os.environ)
    try:
        wait_until(lambda: not process.alive or ready(port), within_s=STARTS_WITHIN_S, what=name)
        assert process.alive, process.text()
        yield port, process
    finally:
        if process.alive:
            process.stop(signal.SIGTERM if name == "nginx" else signal.SIGKILL)  # nginx has children to end


def stand_in(_: Path, port: int, replicas: list[int]) -> list[str]:
    """The arguments of our own."""
    return ["-m", "tests.fakes.balancer", "--port", str(port), *map(str, replicas)]


def haproxy(folder: Path, port: int, replicas: list[int]) -> list[str]:
    """Its arguments: deploy/haproxy.cfg with servers by address where Docker's names are."""

    def servers(template: re.Match[str]) -> str:
        options = template["options"].replace("resolvers docker init-addr none", "")
        return "\n".join(f"    server web{n} 127.0.0.1:{at} {options}" for n, at in enumerate(replicas))

    text = (ROOT / "deploy/haproxy.cfg").read_text()
    text, backends = re.subn(
        r"^ +server-template web 10 web:12000 (?P<options>.*)$", servers, text, flags=re.MULTILINE
    )
    text, binds = re.subn(r"bind :12000$", f"bind 127.0.0.1:{port}", text, flags=re.MULTILINE)
    assert (backends, binds) == (2, 1)
    (folder / "haproxy.cfg").write_text(text)
    return ["-db", "-f", str(folder / "haproxy.cfg")]


def deals_to(front: Process, nth: int) -> bool:
    """Whether the last that a balancer said of a replica is not that it is down; nginx says nothing."""
    said = re.findall(rf"Server ready/web{nth} is (UP|DOWN)", front.text())
    return not said or said[-1] == "UP"


def nginx(folder: Path, port: int, replicas: list[int]) -> list[str]:
    """Its arguments: deploy/nginx.conf with other ports, in an http block that keeps all its files in one folder."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    for n, at in enumerate(replicas, 1):
        assert f"127.0.0.1:1200{n} " in text
        text = text.replace(f"127.0.0.1:1200{n} ", f"127.0.0.1:{at} ")
    text = re.sub(r"^ +server 127\.0\.0\.1:1200\d .*\n", "", text, flags=re.MULTILINE)  # it names three replicas
    text, listens = re.subn(r"listen 12000;", f"listen 127.0.0.1:{port};", text)
    assert listens == 1
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""  # whose the folder is
    (folder / "nginx.conf").write_text(
        f"{user}\ndaemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n{temporary}\naccess_log off;\n{text}\n}}\n"
    )
    return ["-c", str(folder / "nginx.conf")]
