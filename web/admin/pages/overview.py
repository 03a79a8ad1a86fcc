"""The overview: what the pool has done in the last hour and day."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web.admin.api.endpoint import from_query
from web.admin.api.pool import Span
from web.admin.pages.page import render
from web.ops.pool.history import Period
from web.services import current_services

_DRAWN = ("at", "requests", "pinned_percent", "first_request_ms", "errors", "degraded", "cost_usd", "kept_usd")


def install(bp: Blueprint) -> None:
    """Add the pages."""
    bp.add_url_rule("/", "overview", overview, strict_slashes=False)
    bp.add_url_rule("/charts.json", "charts", charts)


def overview() -> ResponseReturnValue:
    """The sums, and the figures of the charts as a table."""
    asked: Span = from_query(request, Span)
    found = current_services().history.read(asked.minutes)
    _, health = current_services().health.report()
    return render("overview.html", hour=found.hour, day=found.day, rows=found.points, span=asked.span, health=health)


def charts() -> ResponseReturnValue:
    """The figures of the charts, a list for each."""
    asked: Span = from_query(request, Span)
    return columns(current_services().history.read(asked.minutes).points)


def columns(points: tuple[Period, ...]) -> dict[str, list[Any]]:
    """The points as one list for each figure."""
    return {name: [getattr(point, name) for point in points] for name in _DRAWN}
