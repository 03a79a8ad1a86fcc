"""The rules for Prometheus, in its own tool: each alert is silent in a healthy pool, and fires in its fault."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.harness import ROOT

RULES = ROOT / "deploy/prometheus"
FAULTS = ROOT / "tests/unit/alerts.test.yml"


def _promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    return subprocess.run([promtool, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def _rules(file: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((RULES / file).read_text())["groups"] for rule in group["rules"]]


def test_prometheus_takes_its_files() -> None:
    checked = _promtool("check", "config", "deploy/prometheus/prometheus.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(_rules('alerts.yml'))} rules found" in checked.stdout


def test_each_alert_fires_in_its_fault_and_in_no_healthy_pool() -> None:
    tested = _promtool("test", "rules", str(FAULTS))

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_fault_and_is_looked_for_in_the_healthy_pool() -> None:
    healthy, *faults = yaml.safe_load(FAULTS.read_text())["tests"]
    alerts = {rule["alert"] for rule in _rules("alerts.yml")}

    fired = {each["alertname"] for fault in faults for each in fault["alert_rule_test"] if each.get("exp_alerts")}
    silent = {each["alertname"] for each in healthy["alert_rule_test"] if not each.get("exp_alerts")}

    assert fired == alerts
    assert silent == alerts


def test_what_is_recorded_is_used_and_what_is_used_is_recorded() -> None:
    """A misspelt name would be an alert that never fires."""
    recorded = {rule["record"] for rule in _rules("recording.yml")}
    asked = [rule["expr"] for file in ("recording.yml", "alerts.yml") for rule in _rules(file)]
    asked += [path.read_text() for path in (ROOT / "deploy/grafana/dashboards").iterdir()]

    assert {name for text in asked for name in re.findall(r"\bjob\w*:\w+:\w+", text)} == recorded


def test_every_alert_says_what_it_means_and_has_a_row_in_the_documentation() -> None:
    page = (ROOT / "docs/observability.md").read_text()

    for rule in _rules("alerts.yml"):
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert f"`{rule['alert']}`" in page


def test_the_documentation_has_every_metric_and_no_other() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    declared = set(re.findall(r'"(plano_\w+)"', (ROOT / "web/ops/metrics.py").read_text()))

    assert set(re.findall(r"^\| `(plano_\w+)` \|", page, re.MULTILINE)) == declared
