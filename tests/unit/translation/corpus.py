"""Cases of recorded shape, one a file: what is given to a function of a translation, and what it makes of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness import ROOT

Case = dict[str, Any]
"""`about`, `function`, `given`; then `expected`, `refused` or `malformed`; where needed `features` and `request`."""


def cases(pair: str, *functions: str) -> Iterator[tuple[str, Case]]:
    """The cases of a pair of APIs for some of its functions, by name."""
    for path in sorted(folder(pair).glob("*.json")):
        case = json.loads(path.read_text("utf-8"))
        if case["function"] in functions:
            yield path.stem, case


def folder(pair: str) -> Path:
    return ROOT / "tests" / "corpus" / pair
