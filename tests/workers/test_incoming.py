"""Which jobs a worker takes, whatever stands in Redis."""

import json
import tracemalloc
import zlib
from typing import Any

import pytest

from shared.job_messages import DECIDE, REFRESH_METRICS
from shared.store.jobs.job_data import JOB_BYTES
from workers.queue.accepted_jobs import Refused, admitted


def held(function: Any, *args: Any, timeout: bytes | None = b"5", **kwargs: Any) -> list[bytes | None]:
    return [zlib.compress(json.dumps([function, None, args, kwargs]).encode()), timeout]


@pytest.mark.parametrize(("function", "argument"), [(DECIDE, {"any": "thing"}), (REFRESH_METRICS, "cost")])
def test_the_two_functions_are_taken(function: str, argument: Any) -> None:
    asked = admitted(held(function, argument))

    assert (json.loads(asked.data)[2], asked.timeout_s) == ([argument], 5)


@pytest.mark.parametrize("function", ["os.spawnv", "subprocess.run", "workers.jobs.msgspec", "", None, 5, [], {}])
def test_no_other_function_is_taken(function: Any) -> None:
    with pytest.raises(Refused):
        admitted(held(function, {}))


@pytest.mark.parametrize("args", [(), (1,), ("decide",), ([],), ({}, {})])
def test_the_arguments_are_those_of_the_function(args: tuple[Any, ...]) -> None:
    with pytest.raises(Refused, match="arguments"):
        admitted(held(DECIDE, *args))
    with pytest.raises(Refused, match="arguments"):
        admitted(held(DECIDE, {}, services="mine"))


@pytest.mark.parametrize("timeout", [None, b"", b"0", b"-1", b"1e9", b"3601", b"9" * 5000, b"inf", "²".encode()])
def test_a_job_has_a_time_limit(timeout: bytes | None) -> None:
    with pytest.raises(Refused, match="time limit"):
        admitted(held(DECIDE, {}, timeout=timeout))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        None,
        b"no zlib",
        zlib.compress(b"no json"),
        zlib.compress(b"\xff"),
        zlib.compress(b"[" * 5000 + b"]" * 5000),
        zlib.compress(b'["%s",null,[{"a":%s}],{}]' % (DECIDE.encode(), b"[" * 2000 + b"]" * 2000)),
        zlib.compress(b'["%s",{"__class__":1},[{}],{}]' % DECIDE.encode()),
        zlib.compress(b'["%s",null,[{}]]' % DECIDE.encode()),
        b"\x80\x04\x95pickle",
    ],
)
def test_what_is_no_job_is_refused(data: bytes | None) -> None:
    with pytest.raises(Refused):
        admitted([data, b"5"])


def test_more_than_64_kib_is_refused_however_well_it_is_packed() -> None:
    """Half a gigabyte of spaces is half a megabyte when it is packed."""
    with pytest.raises(Refused, match="more than 65536 bytes"):
        admitted(held(DECIDE, {"text": "x" * JOB_BYTES}))
    with pytest.raises(Refused, match="more than 65536 bytes"):
        admitted([zlib.compress(b" " * 50_000_000), b"5"])


def test_no_more_is_unpacked_than_a_job_may_say() -> None:
    """Refusing afterwards what has been unpacked would let half a megabyte take half a gigabyte."""
    packed = zlib.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            admitted([packed, b"5"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 16 * JOB_BYTES


def test_more_than_64_kib_is_refused_though_less_is_read() -> None:
    """What follows the packed data would be written, kept and read all the same."""
    data, timeout = held(DECIDE, {})

    with pytest.raises(Refused, match="more than 65536 bytes"):
        admitted([(data or b"") + b" " * JOB_BYTES, timeout])
