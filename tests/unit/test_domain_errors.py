"""The tree of errors, and the drawing of it."""

import inspect
import re

from shared import errors
from shared.errors import PlanoError


def test_the_drawing_lists_every_class_below_its_parent() -> None:
    """Whoever adds a class draws it: the docstring is where one looks first."""
    drawn: dict[str, str] = {}
    above: list[str] = []
    for bars, name in re.findall(r"^([│├└─ ]*)([A-Z]\w+Error|[A-Z]\w+)(?=$| {2,})", errors.__doc__ or "", re.MULTILINE):
        del above[len(bars) // 4 :]
        drawn[name] = above[-1] if above else "Exception"
        above.append(name)

    defined = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }

    assert drawn == defined


def test_every_error_is_a_plano_error() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]

    assert all(issubclass(kind, PlanoError) for kind in kinds)
