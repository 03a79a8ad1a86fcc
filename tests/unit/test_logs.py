"""What a log line looks like."""

import contextvars
import json
import logging
from collections.abc import Iterator

import pytest

from shared.log_fields import REQUEST_ID, fields
from shared.logs import set_up_logging


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """The root logger as it was; and no request under way, as another test in this process may have left one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    REQUEST_ID.set("")
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


def test_named_values_stand_behind_the_text_as_words(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("text")

    values = fields(model="openai/a", session='two "words"', tenant=None, pinned=True, count=3, blank="")
    logging.getLogger("plano.web").info("moved", extra=values)

    assert capsys.readouterr().err.partition(": ")[2] == (
        'moved model=openai/a session="two \\"words\\"" tenant=- pinned=true count=3 blank=-\n'
    )


def test_named_values_are_fields_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")

    logging.getLogger("plano.web").info("moved", extra=fields(model="openai/a", tenant=None, count=3))

    said = json.loads(capsys.readouterr().err)
    assert list(said) == ["time", "level", "logger", "message", "model", "tenant", "count"]
    assert (said["model"], said["tenant"], said["count"]) == ("openai/a", None, 3)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_value_that_a_client_names_is_cleaned(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """256 characters, and none that could end the line or be obeyed by a terminal."""
    set_up_logging(log_format)

    logging.getLogger("plano.web").info("moved", extra=fields(session="a\n\x1b[31m\u2028\u202e" + "x" * 999))

    (line,) = capsys.readouterr().err.splitlines()
    assert ("a??[31m??" + "x" * 247) in line
    assert "x" * 248 not in line


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_line_has_the_id_of_its_request(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """Of whichever greenlet or thread serves it."""
    set_up_logging(log_format)
    log = logging.getLogger("plano.web")

    def serve(request_id: str) -> None:
        REQUEST_ID.set(request_id)
        log.info("served %s", request_id)

    log.info("before")
    for request_id in ("one", "two"):
        contextvars.copy_context().run(serve, request_id)
    log.info("after")

    lines = capsys.readouterr().err.splitlines()
    expected = {"json": '"request_id": "{}"', "text": " request_id={}"}[log_format]
    assert [
        line.endswith((expected.format(name), expected.format(name) + "}"))
        for line, name in zip(lines[1:3], ("one", "two"), strict=True)
    ] == [True, True]
    assert "request_id" not in lines[0] + lines[3]


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
