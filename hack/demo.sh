#!/usr/bin/env bash
# The main job, step by step: three hosts, a controller, two tenants with the same
# addresses, who reaches whom, and the rules. It leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

export DOVETAIL_LAB=demo
unset DOVETAIL_TENANT
dovetail=$PWD/bin/dovetail
# In the lab's folder, so that whatever ends this script, the lab's end is the
# controller's too.
dir=/run/dovetail-lab/$DOVETAIL_LAB/controller

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' off=$'\e[0m'
else
    bold='' dim='' green='' red='' off=''
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
explain() { printf '%s\n' "$*"; }
typed() { printf '%s$ %s%s\n' "$dim" "$*" "$off"; }
dovetail() { "$dovetail" "$@"; }
lab() { "$dovetail" lab "$@"; }
show() { # a command as the user would type it, and what it prints
    typed "dovetail $*"
    dovetail "$@"
}
showlab() {
    typed "dovetail lab $*"
    lab "$@"
}
die() {
    echo "demo: $*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || die "it makes network namespaces: run it as root"
[ -x "$dovetail" ] || die "bin/dovetail is missing: run make demo"

controller=
made=
cleanup() {
    code=$?
    trap - EXIT
    trap '' INT TERM HUP
    [ $code -eq 0 ] || [ $code -ge 129 ] || [ -z "$controller" ] || [ ! -s "$dir/log" ] || {
        echo "the controller's log ends with" >&2
        tail -n 20 "$dir/log" >&2
    }
    if [ -n "$controller" ]; then
        stop_controller TERM
    fi
    [ -z "$made" ] || lab down || code=1
    exit $code
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() { # the first port from $1 on at which nobody listens
    local p
    for ((p = $1; p < $1 + 200; p++)); do
        # Not by connecting: whoever listens would wonder. 0A is the state LISTEN.
        if ! grep -qsE "$(printf '^ *[0-9]+: [0-9A-F]+:%04X [0-9A-F]+:0000 0A ' "$p")" /proc/net/tcp /proc/net/tcp6; then
            echo "$p"
            return
        fi
    done
    die "no port from $1 on is free"
}

start_controller() {
    mkdir -p "$dir"
    "$dovetail" controller --data-dir "$dir/data" --rest-listen "${DOVETAIL_SERVER#http://}" \
        --ovsdb-listen "$address:$ovsdb" --openflow-listen "$address:$openflow" --log-format json >>"$dir/log" 2>&1 &
    controller=$!
    disown "$controller" # bash need not tell that it was killed
    echo "$controller" >"$dir/controller.pid"
}

stop_controller() { # with a signal, until it is gone
    kill -"$1" "$controller" 2>/dev/null || true
    for _ in $(seq 500); do
        kill -0 "$controller" 2>/dev/null || return 0
        sleep 0.02
    done
    echo "demo: the controller does not end" >&2
}

wait_controller() {
    for _ in $(seq 400); do
        kill -0 "$controller" 2>/dev/null || die "the controller has ended"
        ! dovetail get hosts >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    die "the controller does not answer at $DOVETAIL_SERVER"
}

say "1. Three hosts: namespaces of this machine, each with an Open vSwitch of its own"
made=yes
# A controller of the user's may hold the usual ports, at all addresses.
ovsdb=$(free_port 6640)
openflow=$(free_port 6653)
lab up --hosts 3 --host-prefix '' --controller ":$ovsdb" --owner $$ || {
    made=
    die "there is no lab to show; if another demo runs, wait for its end"
}
manager=$(lab vsctl h1 -- get-manager)
address=${manager#tcp:}
address=${address%:*}
explain "All that they know is who they are, and this. Nobody answers there yet."
typed "ovs-vsctl get-manager      # on h1"
echo "$manager"

say "2. A controller: one process, with its store inside"
export DOVETAIL_SERVER=http://127.0.0.1:$(free_port 8191)
start_controller
wait_controller
for _ in $(seq 300); do
    [ "$(dovetail get hosts 2>/dev/null | grep -c '^h[1-3] ')" -lt 3 ] || break
    sleep 0.05
done
show wait host h1 h2 h3 --timeout 30s
show get hosts
explain "The controller has built br-int, with its one tunnel port, on every host:"
typed "ovs-vsctl show      # on h1"
lab vsctl h1 -- show

say "3. Two tenants with the same network and the same addresses"
show apply -f examples/two-tenants.yaml
show get networks -A

say "4. Their endpoints appear on the hosts, as containers would"
for at in acme/web1:h1 acme/web2:h2 acme/db1:h3 globex/web1:h1 globex/web2:h3 globex/db1:h2; do
    showlab attach "${at%:*}" --host "${at#*:}"
done
show get endpoints -A

# The endpoint that has answered last at an address, as its MAC address tells.
declare -A endpoint_of
learn() {
    local id tenant
    for id in "$@"; do
        tenant=${id%/*}
        endpoint_of[$(dovetail get endpoint "${id#*/}" -t "$tenant" -o json | sed -n 's/.*"mac": *"\([0-9a-f:]*\)".*/\1/p' | tail -n 1)]=$id
    done
}
pings() { # from, to, tries
    lab exec "$1" -- ping -c 1 -W 1 "$2" >/dev/null 2>&1
}
who() { # from, to: a cell of the table
    local mac name=itself
    if ! pings "$1" "$2"; then
        printf '%s%-14s%s' "$red" nobody "$off"
        return
    fi
    mac=$(lab exec "$1" -- ip neigh show "$2" | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
    [ -z "$mac" ] || name=${endpoint_of[$mac]:-$mac}
    printf '%s%-14s%s' "$green" "$name" "$off"
}
table() { # addresses, then the endpoints that ping them
    local addresses=$1 to from
    shift
    printf '%s%-14s' "$bold" 'ping from'
    for to in $addresses; do printf '%-14s' "$to"; done
    printf '%s\n' "$off"
    for from in "$@"; do
        printf '%-14s' "$from"
        for to in $addresses; do who "$from" "$to"; done
        echo
    done
}

say "5. Who answers whom? Both tenants have all of these addresses"
all=(acme/web1 acme/web2 acme/db1 globex/web1 globex/web2 globex/db1)
learn "${all[@]}"
table "10.0.0.11 10.0.0.12 10.0.0.21 fd00:1::12" "${all[@]}"
explain "Now without globex/web2. Its twin at acme stays up, and does not answer for it:"
showlab detach globex/web2
table "10.0.0.12 fd00:1::12" acme/web1 globex/web1

say "6. Two networks of one tenant reach each other only while a router joins them"
show apply -f examples/router.yaml
showlab attach acme/app1 --host h2
app1=$(lab exec acme/app1 -- ip -4 -o addr show dev eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p')
reach() { if pings "$1" "$2"; then printf '%syes%s\n' "$green" "$off"; else printf '%sno%s\n' "$red" "$off"; fi; }
printf 'acme/app1 (%s) reaches acme/web1 (10.0.0.11): ' "$app1"
reach acme/app1 10.0.0.11
printf 'globex/web1 reaches acme/app1 (%s):           ' "$app1"
reach globex/web1 "$app1"
show delete router acme/core --wait
printf 'acme/app1 reaches acme/web1 without the router:   '
reach acme/app1 10.0.0.11

say "7. The rules, as ovs-ofctl shows them: what h1 knows of MAC addresses behind other hosts"
typed "dovetail lab ofctl h1 -- --no-stats dump-flows table=60"
flows=$(lab ofctl h1 -- --no-stats dump-flows table=60)
printf '%s\n' "$flows"
explain "Every rule says where it comes from:"
cookie=$(sed -n '/tun_dst/s/.*cookie=\(0x[0-9a-f]*\).*/\1/p' <<<"$flows" | head -n 1)
show whose "$cookie"

say "8. Out to the world, and in: h1 and h2 have a bridge to a router outside"
for at in h1 h2; do
    showlab map "$at" physnet1
done
showlab outside router --address 192.0.2.1/24 --address 2001:db8::1/64 --vlan 100 --router
show apply -f examples/gateway.yaml
showlab attach initech/web1 --host h3
showlab attach initech/db1 --host h1
show wait gateway edge --timeout 30s
show get gateways
floating=$(dovetail get floating-ip web -t initech -o json | sed -n 's/.*"address": *"\([0-9.]*\)".*/\1/p' | head -n 1)
[ -n "$floating" ] || die "the floating IP has no address"
printf 'initech/db1 reaches the router outside by source NAT:         '
reach initech/db1 192.0.2.1
printf 'the router reaches initech/web1 by its floating IP %s: ' "$floating"
reach outside/router "$floating"
printf 'the router reaches initech/db1 by its inside address:         '
lab exec outside/router -- ip route add 10.0.0.0/24 via "$floating"
reach outside/router 10.0.0.12

say "9. kill -9 of the controller, and a new one, under a ping every 10 ms"
lab exec acme/web1 -- ping -q -i 0.01 -c 400 10.0.0.12 >"$dir/ping" &
ping=$!
sleep 1
stop_controller KILL
start_controller
wait $ping || true
grep transmitted "$dir/ping"

say "That was the main job. What to try next"
cat <<'END'
  bin/dovetail controller --data-dir /tmp/dovetail &     a controller of your own
  bin/dovetail lab up --hosts 3                          hosts to play with
  examples/README.md                                     what to do with them
  docs/pipeline.md                                       every rule explained
END
