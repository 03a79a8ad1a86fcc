"""When a provider wants to be asked again."""

import re
import time

from werkzeug.http import parse_date

from web.proxy.providers.answer import Answer

LONGEST_S = 86400
_NUMBER = re.compile(r"[0-9]{1,12}")
_DATE = re.compile(r"[0-9A-Za-z ,:+-]{20,40}")


def seconds(answer: Answer) -> int | None:
    """Whole seconds, rounded up, a day at most; None when the provider says nothing or nothing usable.

    It says `retry-after-ms`, which counts first, or `retry-after`: in seconds, or as a date.
    """
    ms = answer.header("retry-after-ms")
    if _NUMBER.fullmatch(ms):
        return min(-(-int(ms) // 1000), LONGEST_S)
    value = answer.header("retry-after")
    if _NUMBER.fullmatch(value):
        return min(int(value), LONGEST_S)
    return _until(value)


def _until(date: str) -> int | None:
    try:
        at = parse_date(date) if _DATE.fullmatch(date) else None
        return None if at is None else max(0, min(round(at.timestamp() - time.time()), LONGEST_S))
    except (OverflowError, IndexError):  # of numbers that no date has, which werkzeug leaves to its caller
        return None
