#!/usr/bin/env bash
# Runs the demo and checks what it shows: whoever tries it first must see it work.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp)
trap 'rm -f "$out"' EXIT
if ! hack/demo.sh >"$out" </dev/null; then
    cat "$out"
    echo "the demo failed" >&2
    exit 1
fi

wrong=0
expect() {
    grep -Eq -- "$1" "$out" || {
        echo "the demo does not show: $1" >&2
        wrong=1
    }
}
expect '^acme/web1 +itself +acme/web2 +acme/db1 +acme/web2 *$'
expect '^globex/web1 +itself +globex/web2 +globex/db1 +globex/web2 *$'
expect '^acme/web1 +acme/web2 +acme/web2 *$'
expect '^globex/web1 +nobody +nobody *$'
expect '^acme/app1 .* reaches acme/web1 .*: +yes$'
expect '^globex/web1 reaches acme/app1 .*: +no$'
expect '^acme/app1 .* without the router: +no$'
expect '^(Endpoint|Network) (acme|globex)/'
expect 'by source NAT: +yes$'
expect 'by its floating IP .*: +yes$'
expect 'by its inside address: +no$'
expect ' 0% packet loss'
if [ -e /run/dovetail-lab/demo ] || compgen -G '/run/netns/dv-demo-*' >/dev/null; then
    echo "the demo has left something behind: see dovetail lab list" >&2
    wrong=1
fi
[ $wrong -eq 0 ] || {
    cat "$out"
    exit 1
}
echo "ok: the demo shows what it should"
