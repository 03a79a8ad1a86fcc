"""A real Prometheus, with our rules, that scrapes replicas once a second."""

import math
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.fakes.ports import free_port
from tests.harness import ROOT, Process, wait_until

RULES = ROOT / "deploy/prometheus"
PROGRAM = shutil.which("prometheus")
MISSING = "prometheus is not installed: Debian's package has its name"


class Prometheus:
    """One process; what it gathers is in a folder that the test throws away."""

    def __init__(self, folder: Path, replicas: Sequence[int]) -> None:
        """It scrapes the replicas at these ports."""
        self._folder = folder
        self._replicas = replicas
        self._port = free_port()
        self._process: Process | None = None

    def start(self) -> "Prometheus":
        """Start it, and wait until it answers."""
        assert PROGRAM
        self._write()
        address = f"127.0.0.1:{self._port}"
        file, data = self._folder / "prometheus.yml", self._folder / "data"
        options = (f"--config.file={file}", f"--storage.tsdb.path={data}", f"--web.listen-address={address}")
        self._process = Process([PROGRAM, *options], self._folder / "prometheus.log", os.environ)
        wait_until(self._ready, within_s=60, what="prometheus")
        return self

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.stop(signal.SIGKILL)

    def values(self, expr: str) -> list[float]:
        """What an expression says now; figures that are none are left out."""
        said = requests.get(f"http://127.0.0.1:{self._port}/api/v1/query", params={"query": expr}, timeout=10).json()
        assert said["status"] == "success", (expr, said)
        found = [float(series["value"][1]) for series in said["data"]["result"]]
        return [value for value in found if not math.isnan(value)]

    def _ready(self) -> bool:
        assert self._process
        assert self._process.alive, self._process.text()
        try:
            return requests.get(f"http://127.0.0.1:{self._port}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def _write(self) -> None:
        """Our own files, but for where the replicas are and how often they are asked."""
        config: dict[str, Any] = yaml.safe_load((RULES / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = config["scrape_configs"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in self._replicas]}]
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        for name in config["rule_files"]:
            rules: dict[str, Any] = yaml.safe_load((RULES / name).read_text())
            for group in rules["groups"]:
                group["interval"] = "1s"
            (self._folder / name).write_text(yaml.safe_dump(rules))
