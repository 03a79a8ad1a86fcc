"""What the documents name is there: files, folders and pages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])
MODULES = {path.name for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
_MODULE = re.compile(r"\w+\.py")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")

    missing = [path for path in _paths(text) if not any(ROOT.glob(path.rstrip("/")))]
    missing += [name for name in _words(text) if _MODULE.fullmatch(name) and name not in MODULES]
    missing += [link for link in _LINK.findall(text) if "://" not in link and not (page.parent / link).exists()]

    assert not missing


def _paths(text: str) -> Iterator[str]:
    return filter(_PATH.fullmatch, _words(text))


def _words(text: str) -> Iterator[str]:
    """The words that are set as code within a line."""
    return (word for span in _SPAN.findall(text) for word in span.split())
