"""Logs: one line an event, as text or JSON; never message content, never a credential."""

import logging
import sys
import time
from typing import Any

from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

from shared.log_fields import add_request_id, as_word, clean_message, printable

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_FIELDS = {"asctime": "time", "levelname": "level", "name": "logger", "message": "message", "exc_info": "exception"}
"""What the fields of a log record are called in JSON."""
_NOISY = ("rq.worker", "rq.job", "rq.queue", "urllib3", "gunicorn.access")


class _Tracebacks(logging.Formatter):
    """Tracebacks whose lines look like no line of the log, whatever an error's own text is made of."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The traceback; all lines but the first are indented."""
        return "\n  ".join(map(printable, super().formatException(ei).split("\n")))


class _TextFormatter(_Tracebacks):
    """`2026-01-31T12:00:00Z info plano.web: started port=12000`."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        when = self.formatTime(record, _TIME)
        named = {**getattr(record, "fields", {}), **_request_id(record)}
        words = "".join(f" {name}={as_word(value)}" for name, value in named.items())
        line = f"{when} {record.levelname.lower()} {record.name}: {record.getMessage()}{words}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _request_id(record: logging.LogRecord) -> dict[str, str]:
    return {"request_id": record.request_id} if hasattr(record, "request_id") else {}


class _JsonFormatter(_Tracebacks, JsonFormatter):
    """The same as one JSON object a line; what a record carries in `extra` are fields of their own."""

    converter = staticmethod(time.gmtime)

    def process_log_record(self, log_data: LogData) -> LogData:
        fields = log_data.pop("fields", {})
        return {**log_data, "level": log_data["level"].lower(), **fields}


def set_up_logging(log_format: str) -> None:
    """Send every log line of this process to standard error, in the format asked for: text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(add_request_id)
    handler.addFilter(clean_message)
    handler.setFormatter(_json_formatter() if log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _json_formatter() -> logging.Formatter:
    names = [name for name in _FIELDS if name != "exc_info"]  # which is there only after an exception
    return _JsonFormatter(names, datefmt=_TIME, rename_fields=_FIELDS, json_ensure_ascii=False)
