"""What a router model says."""

from hypothesis import strategies as st

from shared.errors import RouterDown
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import JSON, damaged
from workers.router.answer import route_of

NAMES = ("code_gen", "bob's", 'the "big" one')
PIECES = [
    *"{}[]()'\":,\\` \n-",
    "```",
    "1e9",
    "0x",
    "j",
    "b",
    "route",
    "'route'",
    '"route"',
    '{"route":',
    "{'route': ",
]
PIECES += ["other", "null", "None", "True", *NAMES]
SAID = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
NAMED = st.builds(
    '{}{{"route": {}}}{}'.format, st.sampled_from(["", "```json\n", " "]), JSON, st.sampled_from(["", "```"])
)


@target(st.text() | SAID | NAMED | damaged(NAMED).map(lambda data: data.decode("utf-8", "replace")))
def router_answer(content: str) -> None:
    """Any text is a known route, no route, or a router error that does not repeat it."""
    route = outcome(RouterDown, route_of, content, NAMES)

    if isinstance(route, RouterDown):
        assert len(str(route)) < 100
    else:
        assert route is None or route in NAMES
