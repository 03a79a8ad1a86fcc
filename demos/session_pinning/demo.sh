#!/usr/bin/env bash
# Runs the whole demo and stops all that it started.
#   PORT           where the gateway listens            (12000)
#   AGENT_PORT     where the research agent listens     (8000)
#   PROVIDER_PORT  where the stand-in provider listens  (a free one)
# With OPENAI_API_KEY and ANTHROPIC_API_KEY in the environment the real providers are asked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=demos/session_pinning

export PORT="${PORT:-12000}" AGENT_PORT="${AGENT_PORT:-8000}"
export PLANO_URL="http://localhost:$PORT"
unset AGENT_URL # the demo asks the agent that it starts
export no_proxy="localhost,127.0.0.1,${no_proxy:-${NO_PROXY:-}}"

die() {
    echo "demo.sh: $1" >&2
    exit 1
}

# A port where nobody listens.
free_port() { python3 -c 'from tests.fakes.ports import free_port; print(free_port())'; }

if [ ! -x .venv/bin/plano ] && ! command -v plano >/dev/null; then
    make .venv/.ready >&2
fi
if [ -x .venv/bin/plano ]; then PATH="$PWD/.venv/bin:$PATH"; fi

ports="PORT AGENT_PORT"
also=()
if [ -n "${OPENAI_API_KEY:-}" ] && [ -n "${ANTHROPIC_API_KEY:-}" ]; then
    echo "Providers: OpenAI and Anthropic"
    export OPENAI_BASE_URL="${OPENAI_BASE_URL:-https://api.openai.com/v1}"
    export ANTHROPIC_BASE_URL="${ANTHROPIC_BASE_URL:-https://api.anthropic.com/v1}"
else
    echo "Providers: stand-ins, because OPENAI_API_KEY and ANTHROPIC_API_KEY are not both set"
    PROVIDER_PORT="${PROVIDER_PORT:-$(free_port)}"
    export PROVIDER_PORT
    export OPENAI_API_KEY=stand-in ANTHROPIC_API_KEY=stand-in
    export OPENAI_BASE_URL="http://127.0.0.1:$PROVIDER_PORT/v1" ANTHROPIC_BASE_URL="http://127.0.0.1:$PROVIDER_PORT/v1"
    ports="$ports PROVIDER_PORT"
    also=(--also "$here/Procfile")
fi
for name in $ports; do
    if (exec 3<>"/dev/tcp/127.0.0.1/${!name}") 2>/dev/null; then
        die "port ${!name} is in use; name another: $name=…"
    fi
done

logs="$(mktemp -d)"
gateway=""
wait_for_start() { # a pool that is stopped while it starts forgets some of its processes
    for _ in {1..100}; do
        if grep -q "plano is ready" "$logs/gateway.log" || ! kill -0 "$gateway" 2>/dev/null; then return 0; fi
        sleep 0.1
    done
}
stop() { # stop PID: SIGTERM, and SIGKILL when it is still there after 15 s
    for n in {0..149}; do
        signal=0
        if [ $((n % 10)) -eq 0 ]; then signal=TERM; fi # again: who has just been forked may miss it
        kill -"$signal" "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}
finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM # once is enough
    for pid in $(jobs -p); do # not of variables: a signal may come before they have been told
        [ "$pid" = "$gateway" ] || stop "$pid"
    done
    if [ -n "$gateway" ]; then
        wait_for_start
        stop "$gateway"
    fi
    if [ "$status" -ne 0 ] && [ "$status" -lt 128 ]; then tail -n 20 "$logs"/*.log >&2 || true; fi
    rm -rf "$logs"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

set -m # in a process group of its own: Ctrl-C reaches this script, and the gateway is stopped by it
: >"$logs/gateway.log"  # it is there before anybody looks into it
plano up "$here/config.yaml" --port "$PORT" ${also[@]+"${also[@]}"} >"$logs/gateway.log" 2>&1 &
gateway=$!
set +m
for n in {1..300}; do
    kill -0 "$gateway" 2>/dev/null || die "the gateway did not start"
    if grep -q "plano is ready" "$logs/gateway.log"; then break; fi
    if [ "$n" -eq 300 ]; then die "the gateway is not ready after a minute"; fi
    sleep 0.2
done
echo "Gateway:   $PLANO_URL"

"$here/start_agents.sh" >"$logs/agent.log" 2>&1 &
echo "Agent:     http://localhost:$AGENT_PORT"
echo

python "$here/demo.py" &
wait $!
