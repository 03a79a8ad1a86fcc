"""Which jobs a worker takes: those of its own functions, however a job's hash came into Redis.

RQ imports and calls whatever function a job names, with callbacks, webhooks and retries that its hash asks for. Here
nothing of a hash is used but the function's name, which has to be one of ours, its arguments, and the time limit.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from shared import job_messages
from shared.store.jobs.job_data import JOB_BYTES
from workers import jobs

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    job_messages.DECIDE: jobs.decide,
    job_messages.REFRESH_METRICS: jobs.refresh_metrics,
}
"""All that a job can have called, by the names that jobs use."""
FIELDS = ("data", "timeout")
"""The fields of a job's hash that are read."""
LONGEST_S = 3600

_ARGUMENTS: Mapping[str, type] = {job_messages.DECIDE: dict, job_messages.REFRESH_METRICS: str}
"""Each function takes one argument, of this type."""
_decode = msgspec.json.Decoder(tuple[str, None, list[Any], dict[str, Any]]).decode


class Refused(Exception):
    """A job is not one of ours; the text says why."""


class Admitted(msgspec.Struct, frozen=True):
    """What a job asks for, checked."""

    data: bytes
    """The function and its arguments, as RQ reads them."""
    timeout_s: int


def admitted(values: Sequence[bytes | None]) -> Admitted:
    """What the values of `FIELDS` ask for; raises Refused."""
    data, timeout = (value or b"" for value in values)
    text = _inflated(data)
    try:
        function, _, args, kwargs = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("it is not JSON as RQ writes it") from None
    if function not in FUNCTIONS:
        raise Refused(f"its function is {function!r}")
    if kwargs or len(args) != 1 or not isinstance(args[0], _ARGUMENTS[function]):
        raise Refused(f"its arguments are not those of {function}")
    if not (timeout.isdigit() and len(timeout) <= len(str(LONGEST_S)) and 0 < int(timeout) <= LONGEST_S):
        raise Refused("its time limit is none")
    return Admitted(text, int(timeout))


def _inflated(data: bytes) -> bytes:
    """A job's data as RQ compresses it; never more than 64 KiB of it is unpacked."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(data, JOB_BYTES + 1)
    except zlib.error:
        raise Refused("its data is not compressed as RQ does it") from None
    if len(text) > JOB_BYTES or len(data) > JOB_BYTES:
        raise Refused(f"it has more than {JOB_BYTES} bytes")
    return text
