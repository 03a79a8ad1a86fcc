#!/usr/bin/env bash
# Start or stop this demo's pool: see README.md.
set -euo pipefail

usage="usage: ./run_demo.sh up|down
PORT (default 12000) is where the gateway answers."

cd "$(dirname "$0")"
demo=$PWD
root=$(cd ../.. && pwd)
export PORT=${PORT:-12000}
address=http://localhost:$PORT
run=$demo/.run/$PORT   # pid and log of `plano up`
ready_within_s=60
stopped_within_s=20
images_within_s=600

main() {
    [ $# -eq 1 ] || fail "$usage"
    case $1 in
        up) up ;;
        down) down ;;
        *) fail "$usage" ;;
    esac
}

up() {
    ! running || fail "it is up already, at $address; ./run_demo.sh down stops it"
    if docker_runs; then
        up_in_docker
    else
        up_on_this_machine
    fi
}

down() {
    if [ -e "$run/pid" ]; then
        down_on_this_machine
    elif docker_runs; then
        choose_provider standins:12101 standins:12103 >/dev/null
        compose --profile standins down --timeout 35
    else
        echo "Nothing of this demo runs at port $PORT."
    fi
}

# The stand-ins without a key, else the real provider; $1 and $2: where the stand-ins would be.
choose_provider() {
    if [ -n "${OPENAI_API_KEY:-}" ]; then
        echo "OPENAI_API_KEY is set: the real OpenAI answers (and charges); gpt-4o-mini is the router too."
        export OPENAI_BASE_URL=${OPENAI_BASE_URL:-https://api.openai.com/v1}
        export ROUTER_URL=${ROUTER_URL:-$OPENAI_BASE_URL} ROUTER_MODEL=${ROUTER_MODEL:-gpt-4o-mini}
        standins=
    else
        echo "OPENAI_API_KEY is not set: stand-ins take the place of OpenAI and of the router model."
        export OPENAI_API_KEY=none OPENAI_BASE_URL=http://$1/v1 ROUTER_URL=http://$2/v1 ROUTER_MODEL=Arch-Router
        standins=1
    fi
}

# --- with Docker Compose -------------------------------------------------------------------------------------------

docker_runs() { docker compose version >/dev/null 2>&1 && limited 10 docker info >/dev/null 2>&1; }

compose() { limited "$images_within_s" docker compose --file "$demo/docker-compose.yml" "$@"; }

up_in_docker() {
    echo "A Docker engine runs: Docker Compose starts Redis, Jaeger, HAProxy, three web replicas and a worker."
    choose_provider standins:12101 standins:12103
    compose ${standins:+--profile standins} up --detach --build --wait --wait-timeout 180
    wait_until "$ready_within_s" answers "$address/readyz" || fail "$address does not answer; see: docker compose logs"
    welcome "docker compose -f $demo/docker-compose.yml exec -T redis redis-cli"
    echo "Traces: http://localhost:16686, service \"plano\""
}

# --- with `plano up` -----------------------------------------------------------------------------------------------

up_on_this_machine() {
    echo "No Docker engine runs: \`plano up\` starts the pool on this machine."
    cd "$root"   # the stand-ins and the virtual environment are there
    PATH=$root/.venv/bin:$PATH
    command -v plano >/dev/null || make --silent .venv/.ready
    for name in PROVIDER_PORT ROUTER_PORT WEB_PORT_1 WEB_PORT_2 WEB_PORT_3; do
        export "$name=${!name:-$(free_port)}"
    done
    choose_provider "127.0.0.1:$PROVIDER_PORT" "127.0.0.1:$ROUTER_PORT"
    mkdir -p "$run"
    : >"$run/Procfile"
    if [ -n "$standins" ]; then
        echo 'standins: python -m tests.fakes --provider $PROVIDER_PORT --router $ROUTER_PORT' >>"$run/Procfile"
    fi
    layout
    : >"$run/log"  # it is there before anybody looks into it
    nohup plano up "$demo/config.yaml" --also "$run/Procfile" "${options[@]}" >"$run/log" 2>&1 </dev/null &
    echo $! >"$run/pid"
    wait_until "$ready_within_s" started || fail "not ready within $ready_within_s s; ./run_demo.sh down, and see $run/log"
    running || { cat "$run/log" >&2; rm -r "$run"; fail "plano up has ended; what it said is above"; }
    if grep -q "redis GET" "$run/log"; then
        welcome "PORT=${options[1]} $(command -v plano) redis"
    else
        welcome ""   # the pins are in memory
    fi
    echo "Log:    $run/log"
}

# Three replicas behind HAProxy if there is one, else three processes that share the port. Sets `options`, `fronts`.
layout() {
    fronts=("$address")
    if grep -Eq '^[^#]*type: *memory' "$demo/config.yaml"; then
        echo "config.yaml says type: memory: one web process, which keeps the pins to itself, and no Redis."
        options=(--port "$PORT" --web 1)
        return
    fi
    haproxy=$(find_haproxy)
    if [ -z "$haproxy" ]; then
        echo "Without HAProxy the three web processes share port $PORT."
        options=(--port "$PORT" --web 3)
        return
    fi
    echo "HAProxy at port $PORT deals requests out to web replicas at ports $WEB_PORT_1, $WEB_PORT_2 and $WEB_PORT_3."
    web=$(sed -n 's/^web: //p' Procfile)
    {
        echo "web2: PORT=$WEB_PORT_2 $web"
        echo "web3: PORT=$WEB_PORT_3 $web"
        echo "haproxy: GATEWAY_PORT=$PORT exec $haproxy -db -f $demo/haproxy.cfg"
    } >>"$run/Procfile"
    options=(--port "$WEB_PORT_1" --web 1)
    for port in "$WEB_PORT_1" "$WEB_PORT_2" "$WEB_PORT_3"; do fronts+=("http://localhost:$port"); done
}

# A port where nobody listens.
free_port() { python3 -c 'from tests.fakes.ports import free_port; print(free_port())'; }

find_haproxy() {
    [ "${BALANCER:-haproxy}" = haproxy ] || return 0
    PATH=$PATH:/usr/local/sbin:/usr/sbin command -v haproxy || true
}

started() {
    running || return 0   # it has ended: there is nothing to wait for
    grep -q "plano is ready" "$run/log" || return 1
    for front in "${fronts[@]}"; do answers "$front/readyz" || return 1; done
}

# Whether what `up` started still runs, and its number was not given to another process.
running() {
    local pid
    pid=$(cat "$run/pid" 2>/dev/null) || return 1
    kill -0 "$pid" 2>/dev/null || return 1
    ! command -v ps >/dev/null || ps -o args= -p "$pid" | grep -Eq "plano up|run_demo.sh up"
}

stopped() { ! running; }

down_on_this_machine() {
    if running; then
        kill "$(cat "$run/pid")"
        wait_until "$stopped_within_s" stopped || fail "process $(cat "$run/pid") does not stop; its log: $run/log"
    fi
    rm -r "$run"
    echo "Stopped: HAProxy, web replicas, worker, clock, stand-ins and Redis, as far as they ran."
}

# --- both ----------------------------------------------------------------------------------------------------------

welcome() {
    echo
    echo "Ready:  $address/v1/chat/completions"
    [ -z "$1" ] || echo "Redis:  alias redis-cli='$1'"
    echo "Try:    python3 verify_affinity.py --url $address"
    echo "Stop:   ./run_demo.sh down"
}

answers() { python3 -c "import urllib.request as r; r.urlopen('$1', timeout=2)" 2>/dev/null; }

# Asks ($2…) every 0.2 s until the answer is yes; fails after $1 seconds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

limited() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; }

fail() {
    echo "$1" >&2
    exit 1
}

main "$@"
