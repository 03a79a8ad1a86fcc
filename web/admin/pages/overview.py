"""The overview: what the pool has done in the last hour and day."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from web.admin.api.endpoint import from_query
from web.admin.api.pool import Span
from web.admin.pages.page import render
from web.ops.pool.history import STEPS, History
from web.services import current_services

_AS_THEY_ARE = ("at", "pinned_percent", "first_request_ms")
_COUNTED = ("requests", "errors", "degraded", "cost_usd", "kept_usd")


def install(bp: Blueprint) -> None:
    """Add the pages."""
    bp.add_url_rule("/", "overview", overview, strict_slashes=False)
    bp.add_url_rule("/charts.json", "charts", charts)


def overview() -> ResponseReturnValue:
    """The sums, and the figures of the charts as a table."""
    asked: Span = from_query(request, Span)
    found = current_services().history.read(asked.minutes)
    _, health = current_services().health.report()
    sums = {"hour": found.hour, "day": found.day, "rows": figures(found, asked)}
    return render("overview.html", **sums, span=asked.span, health=health)


def charts() -> ResponseReturnValue:
    """The figures of the charts, a list for each."""
    asked: Span = from_query(request, Span)
    rows = figures(current_services().history.read(asked.minutes), asked)
    return {name: [row[name] for row in rows] for name in _AS_THEY_ARE + _COUNTED}


def figures(found: History, asked: Span) -> list[dict[str, Any]]:
    """The figures of each point; what is counted is a minute's, however many minutes the point is."""
    minutes = STEPS[asked.minutes]
    return [
        {name: getattr(point, name) for name in _AS_THEY_ARE}
        | {name: getattr(point, name) / minutes for name in _COUNTED}
        for point in found.points
    ]
