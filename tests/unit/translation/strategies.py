"""What the generated cases of all translations are made with."""

from typing import Any

from hypothesis import strategies as st


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields, or none."""
    return st.fixed_dictionaries({}, optional=fields)


def interleaved(draw: st.DrawFn, lanes: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All that the lanes hold: of each in its order, of several in any."""
    rest, taken = [[*lane] for lane in lanes], list[dict[str, Any]]()
    while any(rest):
        taken.append(draw(st.sampled_from([lane for lane in rest if lane])).pop(0))
    return taken
