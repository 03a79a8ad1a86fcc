"""Figures as pages show them."""

import time

from shared.operations.words import span

_CENTS_BELOW, _WHOLE_FROM = 1.0, 1000.0


def usd(amount: float) -> str:
    """`$12.34`; more digits below a dollar, `$0.0042`, and none from a thousand on: `$1,150`."""
    size = abs(amount)
    digits = 0 if size >= _WHOLE_FROM else 4 if 0 < size < _CENTS_BELOW else 2
    return f"{'-' if amount < 0 else ''}${size:,.{digits}f}"


def number(count: float) -> str:
    """`12,345`."""
    return f"{count:,.0f}"


def rate(count: float) -> str:
    """`12,345` or `0.27`."""
    return f"{count:,.2f}".rstrip("0").rstrip(".")


def ago(at: float) -> str:
    """`3 min ago`."""
    return f"{span(time.time() - at)} ago"
