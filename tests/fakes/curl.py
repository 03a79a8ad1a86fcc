"""As much of curl as our documents show, for machines that have none: a test runs their lines as printed."""

import argparse
import http.client
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

_NOT_CONNECTED, _REFUSED = 7, 22
"""curl's own exit codes."""


def on_path(folder: Path, path: str) -> str:
    """A search path with a curl: as it is where the machine has one, else with this one, put into the folder."""
    if not shutil.which("curl", path=path):
        program = folder / "curl"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
        program.chmod(0o755)
        return f"{path}:{folder}"
    return path


def main() -> int:
    """Send one request; print what is asked for."""
    asked = _arguments()
    url = urlsplit(asked.url)
    headers = dict(header.split(": ", 1) for header in asked.header)
    body = asked.data and asked.data.encode()
    if body:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=asked.max_time)
    try:
        connection.request("POST" if body else "GET", url.path or "/", body, headers)
        answer = connection.getresponse()
        data = answer.read()
    except OSError as error:
        sys.stderr.write(f"curl: {error}\n")
        return _NOT_CONNECTED
    if asked.dump_header:
        lines = [
            f"HTTP/1.1 {answer.status} {answer.reason}",
            *(f"{name}: {value}" for name, value in answer.getheaders()),
        ]
        _write(asked.dump_header, "".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    if asked.fail and answer.status >= http.HTTPStatus.BAD_REQUEST:
        sys.stderr.write(f"curl: {answer.status}\n")
        return _REFUSED
    _write(asked.output, data)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("url")
    parser.add_argument("-d", "--data")
    parser.add_argument("-D", "--dump-header")
    parser.add_argument("-f", "--fail", action="store_true")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-m", "--max-time", type=float)
    parser.add_argument("-o", "--output", default="-")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-S", "--show-error", action="store_true")
    return parser.parse_args()


def _write(to: str, data: bytes) -> None:
    if to == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        Path(to).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
