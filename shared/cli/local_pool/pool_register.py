"""Which pools `plano up` runs on this machine: a file a pool, locked for as long as the pool lives."""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from shared.errors import ConfigError


class RunningPool(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody at another terminal needs to know of a pool."""

    config: str
    """The path of its config file, from the root."""
    port: int
    redis_url: str
    """Without a credential."""
    variables: dict[str, str] = {}
    """The ports that it has chosen, by the names that its config uses."""


@contextlib.contextmanager
def announced(pool: RunningPool, env: Mapping[str, str]) -> Iterator[None]:
    """Have the pool found until the end; raises OSError when there is no place to write to."""
    folder = _folders(env)[0]
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(folder):
        raise PermissionError(f"{folder} is somebody else's")
    digest = hashlib.sha256(pool.config.encode()).hexdigest()[:8]
    file = folder / f"pool-{pool.port}-{digest}.json"
    with tempfile.NamedTemporaryFile(dir=folder) as written:
        fcntl.flock(written, fcntl.LOCK_EX)  # before it has its name: nobody sees it unlocked
        written.write(msgspec.json.encode(pool))
        written.flush()
        file.unlink(missing_ok=True)
        file.hardlink_to(written.name)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def running_pool(
    env: Mapping[str, str], *, config: Path | None = None, port: int | None = None
) -> RunningPool | None:
    """The pool that runs, with this config and at this port where they are given; None when there is none.

    Raises ConfigError when it might be one of several.
    """
    fitting = [
        pool
        for pool in _running(env)
        if (config is None or pool.config == str(config.resolve())) and port in {None, pool.port}
    ]
    if len(fitting) > 1:
        ports = ", ".join(f"PORT={pool.port} ({pool.config})" for pool in fitting)
        raise ConfigError([f"several pools run: {ports}; say which one by its PORT"])
    return fitting[0] if fitting else None


def _running(env: Mapping[str, str]) -> list[RunningPool]:
    found: list[RunningPool] = []
    for folder in filter(_is_ours, _folders(env)):
        for path in sorted(folder.glob("pool-*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
                if _is_locked(file):
                    found.append(msgspec.json.decode(file.read(), type=RunningPool))
                else:
                    path.unlink()  # its pool was killed
    return found


def _is_locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _folders(env: Mapping[str, str]) -> list[Path]:
    """Where the files may stand: one's own folder of the session, and one in the folder for temporary files."""
    session = env.get("XDG_RUNTIME_DIR", "")
    temporary = Path(env.get("TMPDIR") or tempfile.gettempdir()) / f"plano-{os.getuid()}"
    return [Path(session) / "plano", temporary] if session and Path(session).is_dir() else [temporary]


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can write there: in the folder for temporary files anybody may make this one."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
