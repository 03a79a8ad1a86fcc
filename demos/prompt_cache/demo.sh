#!/usr/bin/env bash
# Start a pool, run demo.py against it, stop the pool: see README.md.
set -euo pipefail

cd "$(dirname "$0")"
demo=$PWD
root=$(cd ../.. && pwd)
export PORT=${PORT:-12000}
ready_within_s=60
stopped_within_s=20
log=$(mktemp)
pool=
agent=

main() {
    cd "$root"   # the stand-in and the virtual environment are there
    PATH=$root/.venv/bin:$PATH
    command -v plano >/dev/null || make --silent .venv/.ready
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    export no_proxy="localhost,127.0.0.1,${no_proxy:-${NO_PROXY:-}}"
    PROVIDER_PORT=${PROVIDER_PORT:-$(free_port)}
    export PROVIDER_PORT
    : >"$log"  # it is there before anybody looks into it
    plano up "$demo/config.yaml" --port "$PORT" --also "$demo/Procfile" >"$log" 2>&1 </dev/null &
    pool=$!
    wait_until "$ready_within_s" started || fail "plano up was not ready within $ready_within_s s: $(cat "$log")"
    runs || fail "plano up has ended: $(cat "$log")"
    python3 "$demo/demo.py" &   # not in front: a signal would wait for its end
    agent=$!
    wait "$agent"
}

# A port where nobody listens.
free_port() { python3 -c 'from tests.fakes.ports import free_port; print(free_port())'; }

runs() { [ -n "$pool" ] && kill -0 "$pool" 2>/dev/null; }

started() { ! runs || grep -q "plano is ready" "$log"; }

ended() { ! runs; }

stop() {
    [ -z "$agent" ] || kill "$agent" 2>/dev/null || true
    if runs; then
        kill "$pool"
        wait_until "$stopped_within_s" ended || echo "process $pool does not stop" >&2
    fi
    rm -f "$log"
}

# Asks ($2…) every 0.2 s until the answer is yes; fails after $1 seconds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

fail() {
    echo "$1" >&2
    exit 1
}

main
