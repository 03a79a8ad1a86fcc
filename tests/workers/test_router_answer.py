"""What the router model's answer means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RouterDown
from workers.router.answer import MAX_LENGTH, route_of

NAMES = ("code_gen", "bob's", 'the "big" one')


@pytest.mark.parametrize(
    "content",
    [
        '{"route": "code_gen"}',
        ' \n{"route":"code_gen"}\n ',
        "{'route': 'code_gen'}",
        '```json\n{"route": "code_gen"}\n```',
        '```{"route": "code_gen"}```',
        "```python\n{'route': 'code_gen'}\n```\n",
        '```\n{"route": "code_gen"}',
        '{"route": "code_gen"}\n```',
        '{"route": "code_gen"}```',
        "{'route': 'code_gen'}\n```\n",
        '{"route": ["code_gen", "bob\'s"]}',
        "{'route': ['unknown', 'other', 'code_gen']}",
        "{'route': ('code_gen',)}",
        '{"route": [null, "code_gen"]}',
        '{"why": "it isn\'t prose", "route": "code_gen"}',
        "{'route': 'code_gen', 'sure': True}",
    ],
)
def test_an_answer_names_a_route(content: str) -> None:
    assert route_of(content, NAMES) == "code_gen"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"route": "bob\'s"}', "bob's"),
        ("{'route': \"bob's\"}", "bob's"),
        ("{'route': 'bob\\'s'}", "bob's"),
        ("{'route': 'bob's'}", "bob's"),
        ('{"route": "the \\"big\\" one"}', 'the "big" one'),
        ("{'route': 'the \"big\" one'}", 'the "big" one'),
    ],
)
def test_an_apostrophe_breaks_nothing(content: str, name: str) -> None:
    assert route_of(content, NAMES) == name


@pytest.mark.parametrize(
    "value",
    ['"unknown"', '"other"', "null", '""', "[]", "[null]", '["other"]', '["unknown", ""]', '"Code_Gen"'],
)
def test_an_answer_names_no_route(value: str) -> None:
    assert route_of(f'{{"route": {value}}}', NAMES) is None


def test_other_is_no_route_even_if_one_had_that_name() -> None:
    assert route_of('{"route": "other"}', ["other"]) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "code_gen",
        '"code_gen"',
        "null",
        "[]",
        '["code_gen"]',
        "{}",
        '{"name": "code_gen"}',
        '{"route": 7}',
        '{"route": {"name": "code_gen"}}',
        '{"route": [["code_gen"]]}',
        'The route is {"route": "code_gen"}',
        '{"route": "code_gen"',
        "{'route': 'bob's', 'x': 'y'}",
        "{'route': unknown_word}",
        "{'route': __import__('os')}",
        "{[]: 1}",
        "[" * 4000,
        "(" * 4000,
        "-" * 4000 + "1",
        '{"route":' * 400,
        "{'route': '\ud800'",
        "\x00",
        '{"route": "code_gen"}' + " " * MAX_LENGTH,
    ],
)
def test_anything_else_is_an_error_that_does_not_repeat_it(content: str) -> None:
    with pytest.raises(RouterDown) as caught:
        route_of(content, NAMES)

    assert "code_gen" not in str(caught.value)
    assert len(str(caught.value)) < 100


_PIECES = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "'",
    '"',
    ":",
    ",",
    "\\",
    "`",
    "```",
    " ",
    "\n",
    "-",
    "1e9",
    "0x",
    "j",
    "b",
]
_PIECES += ["route", "'route'", '"route"', '{"route":', "{'route': ", "other", "null", "None", "True", *NAMES]


@settings(max_examples=200, deadline=None, database=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)))
def test_any_text_is_a_known_name_none_or_an_error(content: str) -> None:
    try:
        route = route_of(content, NAMES)
    except RouterDown:
        return

    assert route is None or route in NAMES
