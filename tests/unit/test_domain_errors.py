"""The tree of errors, and the drawing of it."""

import inspect
import re

from shared import errors


def test_the_drawing_shows_every_class_below_its_parent() -> None:
    """Whoever adds a class draws it: the docstring is where one looks first."""
    lines = (errors.__doc__ or "").split("PlanoError\n")[1].split("\n\n")[0].splitlines()
    drawn = {"PlanoError": "Exception"}
    above = ["PlanoError"]
    for line in lines:
        bars, name = re.findall(r"^([│├└─ ]+)(\w+)", line)[0]
        del above[len(bars) // 4 :]
        drawn[name] = above[-1]
        above.append(name)

    defined = {
        name: kind.__bases__[0].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }

    assert drawn == defined
