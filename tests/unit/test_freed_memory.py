"""Memory that a process no longer needs goes back to the system."""

import ctypes

import psutil
import pytest

from tests.greenlets import in_greenlets
from web.ops.freed_memory import give_back

BLOCKS, BLOCK_BYTES = 500, 65_000
"""As large answers come: 32 MB in pieces for which glibc asks the system for no memory of their own."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_what_is_free_goes_back_whatever_lies_above_it() -> None:
    held, freed, given_back = in_greenlets(peak)

    assert held - freed < BLOCKS * BLOCK_BYTES / 10, "glibc gives it back by itself, and the module is not needed"
    assert held - given_back > BLOCKS * BLOCK_BYTES * 0.9


def peak() -> tuple[int, int, int]:
    """The process's memory while blocks are held, when all but the highest are freed, and at the end."""
    blocks = [b"x" * BLOCK_BYTES for _ in range(BLOCKS)]
    memory = psutil.Process().memory_info
    held = memory().rss
    highest = blocks.pop()  # the last one: the first ones may have filled holes
    blocks.clear()
    freed = memory().rss
    give_back()
    assert len(highest) == BLOCK_BYTES
    return held, freed, memory().rss
