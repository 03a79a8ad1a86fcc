"""What a log line looks like."""

import json
import logging
from collections.abc import Iterator

import pytest

from shared.telemetry import set_up_logging


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")

    logging.getLogger("plano.web").warning("größer als %d", 5)

    (line,) = capsys.readouterr().err.splitlines()
    fields = json.loads(line)
    assert list(fields) == ["time", "level", "logger", "message"]
    assert fields["time"].endswith("Z")
    assert (fields["level"], fields["logger"], fields["message"]) == ("warning", "plano.web", "größer als 5")
    assert "größer" in line


def test_what_a_record_carries_is_a_field_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")

    logging.getLogger("plano.web").info("answered", extra={"status": 200, "model": "openai/a"})

    fields = json.loads(capsys.readouterr().err)
    assert (fields["status"], fields["model"]) == (200, "openai/a")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_exception_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    set_up_logging(log_format)

    try:
        int("odd")
    except ValueError:
        logging.getLogger("plano.web").exception("failed")

    text = capsys.readouterr().err
    told = json.loads(text)["exception"] if log_format == "json" else text.partition("\n")[2]
    assert told.startswith("Traceback")
    assert told.rstrip().endswith("invalid literal for int() with base 10: 'odd'")


def test_text_is_one_line_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("text")

    logging.getLogger("plano.web").info("started port=%d", 12000)

    assert capsys.readouterr().err.partition(" ")[2] == "info plano.web: started port=12000\n"
