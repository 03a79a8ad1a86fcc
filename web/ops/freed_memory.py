"""Gives memory that is free back to the system.

glibc keeps what lies below the highest block in use. After 24 answers of 2 MB at once that was 30 MB, for good.
"""

import ctypes

EVERY_S = 10.0
"""A call takes 0.1 ms, and 7 ms when there are 37 MB to give back."""


def give_back() -> None:
    """Give back what is free; without glibc do nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
