"""Which client API a path belongs to: errors have its shape even where no view was reached."""

from web.dialects import chat, messages, responses
from web.dialects.dialect import Dialect

BY_NAME: dict[str, Dialect] = {each.name: each for each in (chat, messages, responses)}
_PLACES = ("/v1/", "/routing/v1/")


def dialect_of(path: str) -> Dialect:
    """The API of a path; that of chat completions where no other one claims it."""
    for place in _PLACES:
        if path.startswith(place):
            return BY_NAME.get(path.removeprefix(place).partition("?")[0].partition("/")[0], chat)
    return chat
