#!/usr/bin/env bash
# Start a pool, run demo.py against it, stop the pool: see README.md.
set -euo pipefail

cd "$(dirname "$0")"
demo=$PWD
root=$(cd ../.. && pwd)
export PORT=${PORT:-12000}
address=http://localhost:$PORT
ready_within_s=60
stopped_within_s=20
log=$(mktemp)
pool=
agent=

main() {
    cd "$root"   # the stand-ins and the virtual environment are there
    PATH=$root/.venv/bin:$PATH
    command -v plano >/dev/null || make --silent .venv/.ready
    python3 -c 'import openai' 2>/dev/null || fail "the openai package is missing: pip install openai"
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    choose_providers
    (cd "$demo" && plano check config.yaml) 2>&1
    echo
    : >"$log"  # it is there before anybody looks into it
    plano up "$demo/config.yaml" "${options[@]}" >"$log" 2>&1 </dev/null &
    pool=$!
    wait_until "$ready_within_s" started || fail "plano up was not ready within $ready_within_s s: $(cat "$log")"
    runs || fail "plano up has ended: $(cat "$log")"
    python3 "$demo/demo.py" --url "$address" &   # not in front: a signal would wait for its end
    agent=$!
    wait "$agent"
}

# The real providers if both keys are there, else stand-ins. Sets `options` of `plano up`.
choose_providers() {
    options=(--port "$PORT")
    if [ -n "${OPENAI_API_KEY:-}" ] && [ -n "${ANTHROPIC_API_KEY:-}" ]; then
        echo "Both keys are set: the real OpenAI and Anthropic answer (and charge); gpt-4o-mini is the router."
        export OPENAI_BASE_URL=${OPENAI_BASE_URL:-https://api.openai.com/v1}
        export ANTHROPIC_BASE_URL=${ANTHROPIC_BASE_URL:-https://api.anthropic.com/v1}
        export ROUTER_URL=${ROUTER_URL:-$OPENAI_BASE_URL} ROUTER_MODEL=${ROUTER_MODEL:-gpt-4o-mini}
        return
    fi
    echo "Without OPENAI_API_KEY and ANTHROPIC_API_KEY stand-ins take the place of the providers and of the router."
    export OPENAI_API_KEY=none ANTHROPIC_API_KEY=none ROUTER_MODEL=Arch-Router
    PROVIDER_PORT=${PROVIDER_PORT:-$(free_port)} ROUTER_PORT=${ROUTER_PORT:-$(free_port)}
    export PROVIDER_PORT ROUTER_PORT
    export OPENAI_BASE_URL=http://127.0.0.1:$PROVIDER_PORT/v1 ANTHROPIC_BASE_URL=http://127.0.0.1:$PROVIDER_PORT/v1
    export ROUTER_URL=http://127.0.0.1:$ROUTER_PORT/v1
    options+=(--also "$demo/Procfile")
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
