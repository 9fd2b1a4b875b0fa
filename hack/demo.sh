#!/usr/bin/env bash
# The main job, step by step: a controller, three hosts, two tenants with the same
# addresses, who reaches whom, and the rules. It leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

lab=demo
dir=$(mktemp -d /tmp/dovetail-demo.XXXXXX)
port=8191
export DOVETAIL_SERVER=http://127.0.0.1:$port
dovetail=$PWD/bin/dovetail

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' off=$'\e[0m'; else bold='' dim='' green='' red='' off=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
show() { # a command as the user would type it, and what it prints
    printf '%s$ dovetail %s%s\n' "$dim" "$*" "$off"
    "$dovetail" "$@"
}

controller=
cleanup() {
    trap - EXIT INT TERM
    "$dovetail" lab down --name $lab || true
    if [ -n "$controller" ]; then
        kill "$controller" 2>/dev/null || true
        wait "$controller" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ "$(id -u)" -eq 0 ] || { echo "the demo makes network namespaces: run it as root" >&2; exit 1; }

say "1. A controller: one process, with its store inside"
"$dovetail" controller --data-dir "$dir/data" --rest-listen 127.0.0.1:$port --log-format json >"$dir/controller.log" 2>&1 &
controller=$!
for _ in $(seq 200); do
    if ! kill -0 "$controller" 2>/dev/null; then
        controller=
        cat "$dir/controller.log" >&2
        exit 1
    fi
    curl -fs "$DOVETAIL_SERVER/readyz" >/dev/null 2>&1 && break
    sleep 0.05
done
show version

say "2. Three hosts. All that they know is who they are, and 'ovs-vsctl set-manager tcp:CONTROLLER:6640'"
"$dovetail" lab up --hosts 3 --name $lab
"$dovetail" wait host h1 h2 h3 --timeout 30s
show get hosts
printf '%s$ ovs-vsctl show      # on h1: the controller has built all of br-int%s\n' "$dim" "$off"
"$dovetail" lab vsctl h1 --name $lab -- show

say "3. Two tenants with the same network and the same addresses"
show apply -f examples/two-tenants.yaml
show get networks -A

say "4. Their endpoints appear on the hosts, as containers would"
for at in acme/web1:h1 acme/web2:h2 acme/db1:h3 globex/web1:h1 globex/web2:h3 globex/db1:h2; do
    "$dovetail" lab attach --name $lab "${at%:*}" --host "${at#*:}"
done
show get endpoints -A

say "5. Who reaches whom? Each row pings 10.0.0.12 and fd00:1::12 of its own tenant, and the gateway of a network that no router joins"
reach() {
    if "$dovetail" lab exec --name $lab "$1" -- ping -c 1 -W 1 "$2" >/dev/null 2>&1; then printf '%s%-12s%s' "$green" yes "$off"; else printf '%s%-12s%s' "$red" no "$off"; fi
}
printf '%-14s %-12s %-12s %s\n' from 10.0.0.12 fd00:1::12 10.0.1.1
for from in acme/web1 acme/db1 globex/web1 globex/db1; do
    printf '%-14s %s %s %s\n' $from "$(reach $from 10.0.0.12)" "$(reach $from fd00:1::12)" "$(reach $from 10.0.1.1)"
done
echo "Both tenants have a 10.0.0.12. Who answers acme? The neighbour table says which MAC:"
"$dovetail" lab exec --name $lab acme/web1 -- ip -4 neigh show 10.0.0.12
"$dovetail" lab exec --name $lab globex/web1 -- ip -4 neigh show 10.0.0.12

say "6. A router joins a second network of acme; globex stays out"
show apply -f examples/router.yaml
"$dovetail" lab attach --name $lab acme/app1 --host h2
printf 'acme/app1 reaches acme/web1 at 10.0.0.11 through the router: %s\n' "$(reach acme/app1 10.0.0.11)"
printf 'globex/web1 reaches acme/app1 at 10.0.1.2:                    %s\n' "$(reach globex/web1 10.0.1.2)"

say "7. The rules, as ovs-ofctl shows them: what host h1 knows of MAC addresses behind other hosts"
printf '%s$ ovs-ofctl -O OpenFlow13 --no-stats dump-flows br-int table=60%s\n' "$dim" "$off"
"$dovetail" lab ofctl h1 --name $lab -- --no-stats dump-flows br-int table=60
cookie=$("$dovetail" lab ofctl h1 --name $lab -- dump-flows br-int table=60 | grep -o 'cookie=0x[0-9a-f]*.*tun_dst' | head -1 | sed 's/cookie=\(0x[0-9a-f]*\).*/\1/')
echo "Every rule says where it comes from:"
show whose "$cookie"

say "8. kill -9 of the controller, and a new one: what is a ping's loss?"
"$dovetail" lab exec --name $lab acme/web1 -- ping -q -i 0.01 -c 400 10.0.0.12 >"$dir/ping" &
ping=$!
sleep 1
kill -9 "$controller"
wait "$controller" 2>/dev/null || true
"$dovetail" controller --data-dir "$dir/data" --rest-listen 127.0.0.1:$port --log-format json >>"$dir/controller.log" 2>&1 &
controller=$!
wait $ping || true
grep transmitted "$dir/ping"

say "That was the main job. What to try next"
cat <<'END'
  bin/dovetail controller --data-dir /tmp/dovetail &     a controller of your own
  bin/dovetail lab up --hosts 3                          hosts to play with
  examples/README.md                                     what to do with them
  docs/pipeline.md                                       every rule explained
END
