#!/usr/bin/env bash
# Installs the coding agents that npm can install, and runs demo.py: see README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ ! -x .venv/bin/plano ] && ! command -v plano >/dev/null; then
    make .venv/.ready >&2
fi
if [ -x .venv/bin/plano ]; then PATH="$PWD/.venv/bin:$PATH"; fi
PYTHONPATH="$PWD" exec python demos/coding_agents/demo.py "$@"
