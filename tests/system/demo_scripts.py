"""What the tests of demos share: what a script may know, what it has started, and its output as documented."""

import contextlib
import re
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import psutil

MARK = "STARTED_BY"
"""The variable by which all that a script starts is known."""
CLEAN = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
"""An environment without keys."""

_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def marked(name: str) -> list[psutil.Process]:
    """The processes that run with the mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == name:
                found.append(process)
    return found


def as_documented(text: str, ports: Mapping[str, str], documented: Mapping[str, str]) -> str:
    """The text with the documented ports, and ids of zeros; both mappings name the variable of each port."""
    number = {port: documented[name] for name, port in ports.items()}
    any_port = rf"\b({'|'.join(number)})\b"  # all at once: a free port may be another's documented one
    return _UUID.sub(str(uuid.UUID(int=0)), re.sub(any_port, lambda found: number[found[0]], text))
