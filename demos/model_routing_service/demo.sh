#!/usr/bin/env bash
# Asks the gateway where requests would go, one curl after the other, and stops all that it started.
#   PORT          where the gateway listens                            (12000)
#   SOURCES_PORT  where the stand-in for prices and latencies listens  (a free one)
# No provider is asked anything, so that no key is needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=demos/model_routing_service

export PORT="${PORT:-12000}"
export OPENAI_API_KEY="${OPENAI_API_KEY:-not-used}" ANTHROPIC_API_KEY="${ANTHROPIC_API_KEY:-not-used}"
gateway_url="http://localhost:$PORT"
decide="$gateway_url/routing/v1/chat/completions"
sources='http://localhost:$SOURCES_PORT/_behave' # shown as it is written
export no_proxy="localhost,127.0.0.1,${no_proxy:-${NO_PROXY:-}}"

die() {
    echo "demo.sh: $1" >&2
    exit 1
}

if [ ! -x .venv/bin/plano ] && ! command -v plano >/dev/null; then
    make .venv/.ready >&2
fi
if [ -x .venv/bin/plano ]; then PATH="$PWD/.venv/bin:$PATH"; fi

# A port where nobody listens.
free_port() { python3 -c 'from tests.fakes.ports import free_port; print(free_port())'; }
SOURCES_PORT="${SOURCES_PORT:-$(free_port)}"
export SOURCES_PORT

for name in PORT SOURCES_PORT; do
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
    kill -TERM "$1" 2>/dev/null || return 0
    for _ in {1..150}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
}
finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM # once is enough
    if [ -n "$gateway" ]; then
        wait_for_start
        stop "$gateway"
    fi
    if [ "$status" -ne 0 ] && [ "$status" -lt 128 ]; then tail -n 20 "$logs/gateway.log" >&2 || true; fi
    rm -rf "$logs"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

curl() { # every request of this demo is bounded and fails aloud
    command curl --max-time 20 --fail --show-error "$@"
}

request() { # request COMMAND: print it, run it, print the JSON it brings
    printf '\n$ %s\n' "$1"
    eval "$1" | python3 -m json.tool
}

order() { # order BODY: the ranked models, on one line
    curl -s "$decide" -d "$1" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["models"])'
}

wait_for_another() { # wait_for_another ORDER BODY: until a refresh has changed the order
    for _ in {1..60}; do
        if [ "$(order "$2")" != "$1" ]; then return 0; fi
        sleep 0.5
    done
    die "the order is still $1 after half a minute"
}

write='{"messages": [{"role": "user", "content": "Write a script that backs up a database"}]}'
summarise='{"messages": [{"role": "user", "content": "Summarise this article in three sentences"}]}'
reply='{"messages": [{"role": "user", "content": "Reply to this customer in the chat"}]}'
translate='{
    "messages": [{"role": "user", "content": "Translate this letter into Italian"}],
    "routing_preferences": [
      {"name": "translation", "description": "translate texts into other languages",
       "models": ["openai/gpt-4o", "anthropic/claude-sonnet-4-20250514"]},
      {"name": "proofreading", "description": "correct spelling and grammar",
       "models": ["openai/gpt-4o-mini"]}
    ]
  }'

set -m # in a process group of its own: Ctrl-C reaches this script, and the gateway is stopped by it
: >"$logs/gateway.log"  # it is there before anybody looks into it
plano up "$here/config.yaml" --port "$PORT" --also "$here/Procfile" >"$logs/gateway.log" 2>&1 &
gateway=$!
set +m
for n in {1..300}; do
    kill -0 "$gateway" 2>/dev/null || die "the gateway did not start"
    if grep -q "plano is ready" "$logs/gateway.log"; then break; fi
    if [ "$n" -eq 300 ]; then die "the gateway is not ready after a minute"; fi
    sleep 0.2
done

echo "1. Plain: the config's routes; first the model to use, then those to fall back on"
request "curl -s $decide -d '$write'"

echo
echo "2. Routes that come with the request replace the config's"
request "curl -s $decide -d '$translate'"

echo
echo "3. Cheapest and fastest: before there are figures, the declared order"
request "curl -s $decide -d '$summarise'"
declared_by_price="$(order "$summarise")"
declared_by_latency="$(order "$reply")"

echo
echo "   Prices (US\$ per million tokens: input, output) and latencies (seconds) become known …"
request "curl -s $sources -d '{
    \"prices\": {\"anthropic/claude-sonnet-4-20250514\": [3, 15], \"openai/gpt-4o\": [2.5, 10], \"openai/gpt-4o-mini\": [0.15, 0.6]},
    \"latencies\": {\"anthropic/claude-sonnet-4-20250514\": 0.52, \"openai/gpt-4o\": 0.35, \"openai/gpt-4o-mini\": 0.61}
  }'"
wait_for_another "$declared_by_price" "$summarise"
wait_for_another "$declared_by_latency" "$reply"
echo
echo "   … and after the next refresh the models are ranked: cheapest first"
request "curl -s $decide -d '$summarise'"
by_price="$(order "$summarise")"
echo
echo "   Fastest first"
request "curl -s $decide -d '$reply'"
by_latency="$(order "$reply")"

echo
echo "   The cheapest model becomes dear, and the fastest slow"
request "curl -s $sources -d '{
    \"prices\": {\"anthropic/claude-sonnet-4-20250514\": [3, 15], \"openai/gpt-4o\": [2.5, 10], \"openai/gpt-4o-mini\": [5, 20]},
    \"latencies\": {\"anthropic/claude-sonnet-4-20250514\": 0.52, \"openai/gpt-4o\": 1.9, \"openai/gpt-4o-mini\": 0.61}
  }'"
wait_for_another "$by_price" "$summarise"
wait_for_another "$by_latency" "$reply"
echo
echo "   After the next refresh: cheapest first"
request "curl -s $decide -d '$summarise'"
echo
echo "   Fastest first"
request "curl -s $decide -d '$reply'"

session="$(python3 -c 'import uuid; print(uuid.uuid4())')"
echo
echo "4. A session: its first request is decided, the others follow, whatever they are about"
request "curl -s $decide -H 'X-Model-Affinity: $session' -d '$write'"
request "curl -s $decide -H 'X-Model-Affinity: $session' -d '$summarise'"
request "curl -s $decide -H 'X-Model-Affinity: $session' -d '$reply'"
