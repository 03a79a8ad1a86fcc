"""Changes settings files of other programs, in JSON and TOML: what is not ours stays, and a copy is kept."""

import contextlib
import difflib
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import ConfigError

Json = dict[str, Any]

_HEADER = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def changed(path: Path, wanted: Json) -> tuple[str, str]:
    """The file's text, empty without a file, and what it would be with these settings, which replace their likes.

    Raises ConfigError for a file that cannot be read or changed safely.
    """
    is_toml = path.suffix == ".toml"
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        said = tomllib.loads(old) if is_toml else json.loads(old or "{}")
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: cannot be read ({error}); set by hand what is shown"]) from None
    if not isinstance(said, dict):
        raise ConfigError([f"{path}: is not a mapping; set by hand what is shown"])
    merged = _merged(said, wanted)
    if merged == said:
        return old, old
    new = _with_toml(old, wanted) if is_toml else json.dumps(merged, indent=2, ensure_ascii=False) + "\n"
    if is_toml and not _says(new, merged):
        raise ConfigError([f"{path}: cannot be changed safely; set by hand what is shown"])
    return old, new


def shown(path: Path, wanted: Json) -> str:
    """These settings as a file of this kind says them."""
    return _with_toml("", wanted).rstrip() if path.suffix == ".toml" else json.dumps(wanted, indent=2)


def difference(path: Path, old: str, new: str) -> list[str]:
    """The lines that change, as diff writes them."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"{path}", f"{path}, changed", n=0, lineterm="")
    return list(lines)


def write(path: Path, new: str) -> Path | None:
    """Replace the file at once; return where its copy is, None when there was none. Raises ConfigError."""
    path = path.resolve()  # a link stays one
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = _copied(path) if path.exists() else None
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # for nobody else to read
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(new)
            if copy:
                shutil.copymode(copy, name)
            Path(name).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written ({error.strerror})"]) from None
    return copy


def _copied(path: Path) -> Path:
    n = 1
    while (copy := path.with_name(f"{path.name}.before-plano{'' if n == 1 else f'-{n}'}")).exists():
        n += 1
    shutil.copy2(path, copy)
    return copy


def _merged(said: Json, wanted: Json) -> Json:
    """Ours replace theirs, within the tables that both have."""
    merged = dict(said)
    for name, value in wanted.items():
        theirs = merged.get(name)
        merged[name] = _merged(theirs, value) if isinstance(theirs, dict) and isinstance(value, dict) else value
    return merged


def _says(text: str, expected: Json) -> bool:
    with contextlib.suppress(ValueError):
        return tomllib.loads(text) == expected
    return False


def _with_toml(old: str, wanted: Json) -> str:
    """The text with each of these settings in place of its line, else at the end of its table, else in a new one.

    Comments and all other lines stay. Whether the text says what it should is for the caller to check.
    """
    lines = old.splitlines()
    for table, values in _tables(wanted, ()):
        start, end = _place(lines, table)
        section = lines[start:end]
        for name, value in values.items():
            line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
            at = next((n for n, each in enumerate(section) if re.match(rf"\s*{re.escape(name)}\s*=", each)), None)
            if at is None:
                section.insert(_end(section), line)
            else:
                section[at] = line
        lines[start:end] = section
    return "\n".join(lines) + "\n"


def _tables(wanted: Json, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    """The tables that hold values of their own; that of the whole file has no name and comes first."""
    values = {name: value for name, value in wanted.items() if not isinstance(value, dict)}
    if values:
        yield above, values
    for name, value in wanted.items():
        if isinstance(value, dict):
            yield from _tables(value, (*above, name))


def _place(lines: list[str], table: tuple[str, ...]) -> tuple[int, int]:
    """Where a table's lines begin and end; its header is added at the end of the file when it is missing."""
    headers = [n for n, line in enumerate(lines) if _HEADER.match(line)]
    start = 0
    if table:
        header = "[" + ".".join(name if _BARE.fullmatch(name) else json.dumps(name) for name in table) + "]"
        found = next((n for n in headers if lines[n].partition("#")[0].strip() == header), None)
        if found is None:
            lines += ["", header] if lines else [header]
            return len(lines), len(lines)
        start = found + 1
    return start, next((n for n in headers if n >= start), len(lines))


def _end(section: list[str]) -> int:
    """Behind the last line that says something: blank ones and comments before the next table stay with it."""
    said = [n for n, line in enumerate(section, 1) if line.strip() and not line.lstrip().startswith("#")]
    return max(said, default=0)
