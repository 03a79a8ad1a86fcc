"""What a dashboard of Grafana is made of, as far as ours need it; written against Grafana 11, schema version 39."""

import enum
from typing import Any

import msgspec

_COLUMNS = 24
_DATA = {"type": "prometheus", "uid": "${datasource}"}


class Kind(enum.StrEnum):
    """How a panel shows its figures."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


class Unit(enum.StrEnum):
    """What its figures are, in Grafana's words."""

    NUMBER = "short"
    PER_SECOND = "reqps"
    SECONDS = "s"
    SHARE = "percentunit"
    USD = "currencyUSD"


class Query(msgspec.Struct, frozen=True):
    """An expression, and what each of its lines is called: `{{model}}` is a label."""

    expr: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One chart, number or table."""

    title: str
    says: str
    """What one learns from it, and when to look closer."""
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    stacked: bool = False
    width: int = 8
    """In columns; a row has 24."""

    @property
    def height(self) -> int:
        """In rows of the grid."""
        return 4 if self.kind is Kind.NUMBER else 8

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel as Grafana reads it, at a place of the grid."""
        targets = [
            {
                "datasource": _DATA,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "refId": chr(ord("A") + place),
                "instant": self.kind is not Kind.LINES,
                "range": self.kind is Kind.LINES,
                "format": "table" if self.kind is Kind.TABLE else "time_series",
            }
            for place, query in enumerate(self.queries)
        ]
        return {
            "id": number,
            "type": self.kind.value,
            "title": self.title,
            "description": self.says,
            "datasource": _DATA,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {
                "defaults": {"unit": self.unit.value, "min": 0, "custom": self._drawn()},
                "overrides": [],
            },
            "options": self._options(),
            "targets": targets,
        }

    def _drawn(self) -> dict[str, Any]:
        if self.kind is not Kind.LINES:
            return {}
        stacking = {"mode": "normal" if self.stacked else "none", "group": "A"}
        return {"fillOpacity": 30 if self.stacked else 5, "showPoints": "never", "stacking": stacking}

    def _options(self) -> dict[str, Any]:
        if self.kind is Kind.NUMBER:
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "none"}
        if self.kind is Kind.TABLE:
            return {"showHeader": True}
        return {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


class Row(msgspec.Struct, frozen=True):
    """Panels under one heading; they go to the next line where 24 columns are full."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A page; it asks which Prometheus, and which pool."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    since: str = "now-3h"

    def json(self) -> dict[str, Any]:
        """The dashboard as Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.says,
            "tags": ["plano"],
            "schemaVersion": 39,
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": self.since, "to": "now"},
            "refresh": "30s",
            "templating": {"list": [_datasource(), _pool()]},
            "panels": self._placed(),
        }

    def _placed(self) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
            placed.append(
                {
                    "id": len(placed) + 1,
                    "type": "row",
                    "title": row.title,
                    "collapsed": False,
                    "gridPos": place,
                    "panels": [],
                }
            )
            x, y, tallest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > _COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                placed.append(panel.json(len(placed) + 1, x, y))
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest
        return placed


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _pool() -> dict[str, Any]:
    asked = "label_values(plano_build_info, job)"
    return {
        "name": "job",
        "label": "Pool",
        "type": "query",
        "datasource": _DATA,
        "query": {"query": asked, "refId": "job"},
        "definition": asked,
        "refresh": 2,
        "sort": 1,
    }
