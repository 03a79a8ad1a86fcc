#!/usr/bin/env bash
# Runs the research agent until INT or TERM; nothing of it stays.
#   AGENT_PORT  where it listens            (8000)
#   PLANO_URL   the gateway it calls        (http://localhost:12000)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv="../../.venv/bin"
if [ -d "$venv" ]; then PATH="$(cd "$venv" && pwd):$PATH"; fi

finish() {
    trap '' INT TERM # once is enough
    agent="$(jobs -p)" # a signal may come before a variable has been told
    [ -n "$agent" ] || return 0
    kill -TERM "$agent" 2>/dev/null || return 0
    for _ in {1..50}; do
        kill -0 "$agent" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$agent" 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python agent.py &
wait $!
