"""The file's text as a tree of plain values, doubled keys refused."""

from pathlib import Path as FilePath
from typing import Any

import yaml

from shared.config.faults import Faults, Path
from shared.errors import ConfigError

_TAGGED_WRONGLY = (ValueError, AttributeError, LookupError)
"""What PyYAML 6 raises besides its own errors: for `!!timestamp x`, `!!int ''`, `!!bool x`, a date that is none."""


def content(path: FilePath) -> bytes:
    """The file's bytes; raises ConfigError when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{path}: does not exist; name a config file, or set PLANO_CONFIG to one"]) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError([f"{path}: cannot be read ({reason}); it is a readable file"]) from None


def parse(data: bytes, name: str, faults: Faults) -> dict[str, Any]:
    """The YAML mapping; each doubled key is a fault. Raises ConfigError when it is no YAML mapping at all."""
    try:
        loader = yaml.SafeLoader(data.decode("utf-8-sig"))
        node = loader.get_single_node()
        if node is not None:
            _refuse_doubles(node, (), (), faults)
        tree = None if node is None else loader.construct_document(node)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{name}: byte {error.start} is not UTF-8; save the file as UTF-8"]) from None
    except (yaml.YAMLError, RecursionError, *_TAGGED_WRONGLY) as error:
        raise ConfigError([f"{_where(name, error)}; correct the syntax there"]) from None
    if tree is None:
        raise ConfigError([f"{name}: is empty; it holds at least model_providers"])
    if not isinstance(tree, dict):
        raise ConfigError([f"{name}: is not a mapping; it starts with keys such as model_providers"])
    return tree


def _refuse_doubles(node: yaml.Node, path: Path, above: tuple[yaml.Node, ...], faults: Faults) -> None:
    if node in above:
        raise ValueError("a value contains itself")
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        for n, item in enumerate(node.value):
            _refuse_doubles(item, (*path, n), above, faults)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            inner = (*path, str(key.value))
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                faults.add(inner, f"is there twice, again on line {line}", "keep one of them")
            seen.add(str(key.value))
            _refuse_doubles(value, inner, above, faults)


def _where(name: str, error: Exception) -> str:
    """Line and kind of a syntax error; PyYAML's own snippet of the file might show a secret."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"{name}: is not YAML"
    scanned = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError)
    problem = f" ({error.problem})" if scanned and error.problem else ""  # type: ignore[attr-defined]
    return f"{name}, line {mark.line + 1}, column {mark.column + 1}: is not YAML{problem}"
