"""What is not ours in the pages and in their tests: as it was published, with its licence beside it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ROOT

FOLDERS = (ROOT / "web/admin/static/vendor", ROOT / "tests/web/vendor")
FILES: list[tuple[Path, dict[str, Any]]] = [
    (folder, row) for folder in FOLDERS for row in json.loads((folder / "vendored.json").read_text())
]


@pytest.mark.parametrize(("folder", "row"), FILES, ids=[row["file"] for _, row in FILES])
def test_a_vendored_file_is_what_its_package_holds(folder: Path, row: dict[str, Any]) -> None:
    """A script of another's that nobody has changed needs no review but that of its release."""
    found = hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest()

    assert found == row["sha256"]
    assert (folder / row["licence_file"]).stat().st_size > 200
    assert row["version"] in row["file"]


@pytest.mark.parametrize("folder", FOLDERS, ids=["pages", "tests"])
def test_nothing_is_vendored_that_is_not_listed(folder: Path) -> None:
    listed = {name for place, row in FILES if place == folder for name in (row["file"], row["licence_file"])}

    assert {path.name for path in folder.iterdir()} == listed | {"vendored.json"}
