"""The dashboards for Grafana: what is written is what their script makes, and they ask for metrics that there are."""

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import DASHBOARDS, FOLDER
from tests.harness import ROOT

PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard.json()["panels"]
    if panel["type"] != "row"
]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_is_written_is_what_the_script_makes(name: str) -> None:
    """Else run `python -m deploy.grafana`."""
    assert json.loads((FOLDER / name).read_text()) == DASHBOARDS[name].json()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_covers_another_one(name: str) -> None:
    panels = DASHBOARDS[name].json()["panels"]

    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_says_what_one_learns_from_it_and_asks_for_one_pool(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert all('job="$job"' in target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_every_metric_that_is_asked_for_is_declared(panel: dict[str, Any]) -> None:
    declared = set(re.findall(r'"(plano_\w+)"', (ROOT / "web/ops/metrics.py").read_text()))
    asked = {name for target in panel["targets"] for name in re.findall(r"(?<!:)\bplano_\w+", target["expr"])}

    assert {re.sub("_(bucket|count|sum)$", "", name) for name in asked} <= declared


def test_grafana_finds_what_is_provisioned() -> None:
    """The folder that the provider reads is the one that Compose mounts; panels name no data source of their own."""
    grafana = ROOT / "deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((grafana / "dashboards/plano.yml").read_text())["providers"]
    sources = yaml.safe_load((grafana / "datasources/plano.yml").read_text())["datasources"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in services["grafana"]["volumes"]
    assert {source["url"].split("/")[2].split(":")[0] for source in sources} <= services.keys()
