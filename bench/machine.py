"""Facts of the machine, and what processes take of it; Linux only, from /proc."""

import functools
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.harness import redis_server_binary

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PACKAGES = ("flask", "gevent", "geventhttpclient", "gunicorn", "gunicorn-h1c", "hiredis", "redis", "rq")


def facts() -> dict[str, object]:
    """What a figure depends on: processor, kernel, versions."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(_PAGE_BYTES * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "redis-server": _redis_server_version(),
        **{package: version(package) for package in _PACKAGES},
    }


@functools.cache  # of what there was before `on` took some of it away
def split_cores() -> tuple[AbstractSet[int], AbstractSet[int]]:
    """One core for what is measured, and all others for the rest; the same one if there is no other."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


@contextmanager
def on(cores: AbstractSet[int]) -> Iterator[None]:
    """Processes that this thread starts meanwhile run on these cores only, and so do their children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """The process and its living descendants."""
    found = [pid]
    for parent in found:  # it grows meanwhile
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def processor_s(pid: int) -> float:
    """Seconds of processor time that the process and its living descendants have used; exact to 10 ms each."""
    return sum(map(_ticks, tree(pid))) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory in 10^6 bytes of the process and its descendants; pages they share count for each."""
    return sum(map(own_rss_mb, tree(pid)))


def own_rss_mb(pid: int) -> float:
    """The same of the process alone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6


def pss_mb(pid: int) -> float:
    """The same of the process and its descendants, where a page that they share counts once in all."""
    rollups = (Path(f"/proc/{each}/smaps_rollup").read_text() for each in tree(pid))
    return (
        sum(int(kb) for said in rollups for kb in re.findall(r"^Pss:\s+(\d+) kB$", said, re.MULTILINE)) * 1024 / 1e6
    )


def _ticks(pid: int) -> int:
    # The second field is the program's name, which may hold spaces; utime and stime are the 14th and 15th.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _redis_server_version() -> str:
    said = subprocess.run([redis_server_binary(), "--version"], capture_output=True, text=True, check=True, timeout=5)
    found = re.search(r"v=(\S+)", said.stdout)
    return found[1] if found else "unknown"
