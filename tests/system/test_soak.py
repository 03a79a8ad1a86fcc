"""After sessions that come and go, and much that goes wrong, the pool holds what it held at the start.

This looks at descriptors, Redis connections and ttls, and not at memory, whose growth takes longer to see.
`make soak SECONDS=600` does, too: it exits with 1 when a process grows by more than 5 MB an hour.
"""

from pathlib import Path

import pytest

from tests.system.soak.run import run

pytestmark = pytest.mark.alone
SECONDS = 30


def test_nothing_is_kept_of_what_went_wrong(tmp_path: Path) -> None:
    report = run(tmp_path, SECONDS)

    assert report.faults == []
    assert report.outcomes["hung"] == report.outcomes["500"] == 0
    assert report.outcomes["answered"] > report.turns / 4
