"""Whatever clients and providers name, no text of theirs looks like a line of the log."""

import json
import logging
from collections.abc import Iterator

import pytest

from shared.logs import set_up_logging

FORGED = "a\n2026-01-01T00:00:00Z info plano.web: all is well\r\x1b[2J\u2028\u202eb"


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    raise ValueError(FORGED)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_message_is_one_printable_line(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    set_up_logging(log_format)

    logging.getLogger("plano.web").error("failed at %s", FORGED)

    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert "failed at a?2026-01-01T00:00:00Z info plano.web: all is well??[2J??b" in text


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_errors_own_text_begins_no_line(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    set_up_logging(log_format)

    try:
        fail()
    except ValueError:
        logging.getLogger("plano.web").exception("failed")

    text = capsys.readouterr().err
    told = json.loads(text)["exception"] if log_format == "json" else text.partition("\n")[2].rstrip("\n")
    first, *others = told.split("\n")
    assert first == "Traceback (most recent call last):"
    assert others[-2:] == ["  ValueError: a", "  2026-01-01T00:00:00Z info plano.web: all is well??[2J??b"]
    assert all(line.startswith("  ") for line in others)
