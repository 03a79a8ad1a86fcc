"""A closed-loop load over keep-alive connections: wrk where it is installed, else our own generator.

Both send the same bytes and count as an error whatever is no 2xx answer, has no header that it must have,
or says that a part of the pool was away. A load with errors is no measurement: it raises Failed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.generator import Job, Load

DEGRADED = "x-plano-degraded"
GRACE_S = 10
"""What was sent in time must be answered so many seconds after the end of the load."""

_HERE = Path(__file__).parent


class Failed(Exception):
    """A load had errors, so that its figures say nothing."""


def post(path: str, body: Mapping[str, Any], **headers: str) -> bytes:
    """A request as it goes over the wire; `_` in a header's name is `-`."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return post_bytes(path, content, {name.replace("_", "-"): value for name, value in headers.items()})


def post_bytes(path: str, content: bytes, headers: Mapping[str, str]) -> bytes:
    """The same of a body that is JSON already."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def loop(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: int,
    required: str | None = None,
    own: bool = False,
) -> Load:
    """The requests in turn, again and again; `own` takes our generator even where wrk is installed."""
    job = Job(
        port=port,
        requests=list(requests),
        connections=connections,
        seconds=seconds,
        required=required,
        forbidden=DEGRADED,
    )
    wrk = None if own else shutil.which("wrk")
    return _checked(_by_wrk(wrk, job) if wrk else _by_our_own(job))


def once(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: int, required: str | None = None
) -> Load:
    """Each request once at most, until all are answered or the time is over."""
    return _checked(
        _by_our_own(
            Job(
                port=port,
                requests=list(requests),
                connections=connections,
                seconds=seconds,
                required=required,
                forbidden=DEGRADED,
                once=True,
            )
        )
    )


def _checked(load: Load) -> Load:
    if load.errors or not load.requests:
        raise Failed(f"{load.errors} errors, {load.requests} answers; the first error: {load.first_error}")
    return load


def _by_our_own(job: Job) -> Load:
    done = subprocess.run(
        [sys.executable, "-m", "bench.generator"],
        input=msgspec.json.encode(job),
        stdout=subprocess.PIPE,
        check=True,
        cwd=_HERE.parent,
        timeout=job.seconds + 2 * GRACE_S,
    )
    return msgspec.json.decode(done.stdout, type=Load)


def _by_wrk(wrk: str, job: Job) -> Load:
    with tempfile.NamedTemporaryFile() as file:
        for request in job.requests:
            file.write(b"%d\n%b" % (len(request), request))
        file.flush()
        done = subprocess.run(
            [
                wrk, "-t1", f"-c{job.connections}", f"-d{job.seconds}s", f"--timeout={GRACE_S}s",
                "-s", str(_HERE / "load.lua"), f"http://127.0.0.1:{job.port}/",
                "--", file.name, job.required or "-", job.forbidden or "-",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=job.seconds + 2 * GRACE_S,
        )  # fmt: skip
    said = done.stdout.rpartition("\nRESULT ")[2]
    if done.returncode or not said.startswith("{"):
        raise Failed(f"wrk ended with {done.returncode}: {done.stdout}")
    return msgspec.json.decode(said, type=Load)
