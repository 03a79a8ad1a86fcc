"""What we lean on inside libraries is still there, is all in the table, and stays in its place."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gunicorn.config
import pytest

from tests.harness import ROOT
from tests.unit.private_names import ALL, LIBRARIES, Library, Name, made, resolved
from tests.unit.test_layout import PACKAGES, modules

PUBLIC = {"_exit": "os", "_replace": "namedtuple"}
"""Names that begin with an underscore, and are documented nevertheless."""
LISTED = [library for library in LIBRARIES if library.name != "gevent"]
"""What we use of gevent is in its manual; but what it means when it is overridden is not."""
MACHINERY = {"_abc_impl", "_is_protocol"}
"""What Python itself gives a class."""


@dataclass(frozen=True)
class Use:
    """A name that begins with an underscore, on an object that is not our own."""

    file: str
    line: int
    attribute: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.attribute}"


@pytest.mark.parametrize("name", ALL, ids=str)
def test_the_library_has_it_still(name: Name) -> None:
    library = name.library
    advice = f"{library.name} {library.version} has no {name}; docs/{library.page} says what it is for"

    try:
        with made(name.owner) as owner:
            found = inspect.getattr_static(owner, name.attribute, None)
            there = found is not None or hasattr(owner, name.attribute)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{advice} ({error})")

    assert there, advice
    if name.parameters:
        function = getattr(found, "__func__", found)
        assert callable(function), advice
        assert tuple(inspect.signature(function).parameters) == name.parameters, advice


@pytest.mark.parametrize("library", LISTED, ids=lambda library: library.name)
def test_its_page_has_the_names_that_are_private_or_overridden(library: Library) -> None:
    page = (ROOT / "docs" / library.page).read_text()
    names = {name.attribute for name in ALL if name.library is library and name.attribute.startswith("_")}
    names |= {name for module, ours, of in _subclasses() if of is library for name in _overridden(ours, of)}

    missing = [name for name in sorted(names) if not re.search(rf"\b{name}\b", page)]

    assert missing == [], f"docs/{library.page} does not have them"


def test_whatever_we_override_is_in_the_table() -> None:
    missing = [
        f"{module}.{ours.__qualname__}.{attribute}, of {library.name}"
        for module, ours, library in _subclasses()
        for attribute in _overridden(ours, library)
        if not any(_means(name, ours, library, attribute) for name in ALL)
    ]

    assert missing == []


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_the_library_still_calls_what_we_override(library: Library) -> None:
    """A hook that nobody calls any more would be left out without a word."""
    folder = Path(str(importlib.import_module(library.name).__file__)).parent
    source = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    overridden = {attribute for _, ours, of in _subclasses() if of is library for attribute in _overridden(ours, of)}

    unused = [name for name in sorted(overridden) if not re.search(rf"\.{name}\b", source)]

    assert unused == [], f"{library.name} {library.version} calls them no more: see docs/{library.page}"


def test_private_names_are_in_the_table() -> None:
    known = {*PUBLIC, *(name.attribute for name in ALL)}

    assert [str(use) for use in _uses() if use.attribute not in known] == []


def test_private_names_are_used_in_their_place_only() -> None:
    """Two libraries may have the same name."""
    places = {
        name.attribute: [
            place for other in ALL if other.attribute == name.attribute for place in other.library.places
        ]
        for name in ALL
    }

    misplaced = [str(use) for use in _uses() if not use.file.startswith(tuple(places.get(use.attribute, [""])))]

    assert misplaced == []


@pytest.mark.parametrize(
    "library", [each for each in LISTED if each.name in {"gunicorn", "rq"}], ids=lambda each: each.name
)
def test_subclasses_are_in_their_place_only(library: Library) -> None:
    """Of gunicorn and RQ nearly every name is undocumented; so is what a subclass replaces."""
    places = [f"{module.replace('.', '/')}.py" for module, _, of in _subclasses() if of is library]

    assert places
    assert [place for place in places if not place.startswith(library.places)] == []


def test_gunicorn_knows_our_settings() -> None:
    """It says nothing about a setting that it does not know."""
    conf = ast.parse((ROOT / "web/server/gunicorn_conf.py").read_text())
    ours = {node.name for node in conf.body if isinstance(node, ast.FunctionDef)}
    for node in conf.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            ours |= _defined(node)
    settings = {name for name in ours if not name.startswith("_")}

    assert len(settings) > 10
    assert settings - gunicorn.config.Config().settings.keys() == set()


@cache
def _subclasses() -> list[tuple[str, type, Library]]:
    """Our classes with a base in one of the libraries, and their modules."""
    found = []
    for module in modules():
        for thing in vars(importlib.import_module(module)).values():
            if inspect.isclass(thing) and thing.__module__ == module:
                packages = {base.__module__.partition(".")[0] for base in thing.__mro__}
                found += [(module, thing, library) for library in LIBRARIES if library.name in packages]
    return found


def _overridden(ours: type, library: Library) -> list[str]:
    """What a class of ours has that a base in the library has, too; `__init__` and its like are everybody's."""
    theirs = [vars(base) for base in ours.__mro__ if base.__module__.partition(".")[0] == library.name]
    own = {name for base in ours.__mro__ if base.__module__.startswith(PACKAGES) for name in vars(base)} - MACHINERY
    return sorted(name for name in own if not name.startswith("__") and any(name in base for base in theirs))


def _means(name: Name, ours: type, library: Library, attribute: str) -> bool:
    """Whether a name of the table is this attribute of a base of our class."""
    if name.library is not library or name.attribute != attribute:
        return False
    owner: Any = resolved(name.owner)
    return inspect.isclass(owner) and issubclass(ours, owner)


@cache
def _uses() -> list[Use]:
    """Every private name in our sources that is not known to be our own."""
    return [use for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) for use in _uses_in(path)]


def _uses_in(path: Path) -> Iterator[Use]:
    file = str(path.relative_to(ROOT))
    module = file.removesuffix(".py").replace("/", ".")
    derived = {base.__name__ for of, ours, _ in _subclasses() if of == module for base in ours.__mro__}
    tree = ast.parse(path.read_text())
    own = _defined(tree) - {name.attribute for name in ALL}
    for top in tree.body:
        is_derived = isinstance(top, ast.ClassDef) and top.name in derived
        for node in ast.walk(top):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                on_self = ast.unparse(node.value) in {"self", "cls", "super()"}
                if not on_self or (is_derived and node.attr not in own):
                    yield Use(file, node.lineno, node.attr)


def _defined(tree: ast.AST) -> set[str]:
    """What classes and their methods set or define."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                found.add(name)
    return found
