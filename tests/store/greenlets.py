"""Runs a script among greenlets, as the processes of a pool do; the tests themselves run among threads."""

import subprocess
import sys

from tests.harness import ROOT

BEGIN = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent, redis
"""


def in_greenlets(script: str, *arguments: str) -> str:
    """The last line that the script prints."""
    command = [sys.executable, "-c", BEGIN + script, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
