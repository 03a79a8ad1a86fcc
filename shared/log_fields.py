"""What a log line has besides its text: the id of the request that it belongs to, and values with names."""

import json
import logging
import re
from contextvars import ContextVar
from typing import Any

LONGEST = 256
"""So many characters of a value are logged: clients name sessions, models and paths."""
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this greenlet or thread serves; empty between two requests."""

_NO_WORD = re.compile(r"[^!#-<>-~]").search


def fields(**values: Any) -> dict[str, Any]:
    """For `extra=` of a log line: `name=value` behind the text, or in JSON a field for each."""
    return {"fields": {name: cleaned(value) if isinstance(value, str) else value for name, value in values.items()}}


def cleaned(text: str) -> str:
    """A text as it may stand in a log: so long at most, without control characters or what a terminal obeys."""
    return printable(text[:LONGEST])


def printable(text: str) -> str:
    """A text on one line, with a question mark for each character that is no printable one."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def is_word(text: str) -> bool:
    """Whether a text can stand behind `name=` as it is: ASCII without blanks, quotes and equals signs."""
    return not _NO_WORD(text)


def as_word(value: Any) -> str:
    """A value as it stands behind `name=`: one word, in quotes where it has blanks, quotes or an equals sign."""
    match value:
        case None | "":
            return "-"
        case True | False:
            return "true" if value else "false"
        case str():
            return value[:LONGEST] if is_word(value) else json.dumps(cleaned(value), ensure_ascii=False)
    return str(value)


def clean_message(record: logging.LogRecord) -> bool:
    """A filter for handlers: the text of the line is one line, whatever clients or providers have put into it."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True


def add_request_id(record: logging.LogRecord) -> bool:
    """A filter for handlers: the line has the id of the request that it was written for."""
    request_id = REQUEST_ID.get()
    if request_id:
        record.request_id = request_id
    return True
