"""Writes the dashboards: `python -m deploy.grafana`."""

import json
from pathlib import Path

from deploy.grafana.money import MONEY
from deploy.grafana.pool import POOL

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {"pool.json": POOL, "money.json": MONEY}


def main() -> None:
    """Write each dashboard as Grafana reads it."""
    FOLDER.mkdir(exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / name).write_text(json.dumps(dashboard.json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
