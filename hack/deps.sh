#!/usr/bin/env bash
# Installs the Debian packages that are missing for what is named: run, test or bench.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# package:program, or package:/file where it has no program.
run=(openvswitch-switch:ovs-vswitchd iproute2:ip ethtool:ethtool iputils-ping:ping procps:sysctl)
# The race detector needs a C compiler. FRR is the BGP router of scenarios; nftables and
# HAProxy are what their service functions do.
test=(curl:curl gcc:gcc libc6-dev:/usr/include/stdlib.h frr:/usr/lib/frr/bgpd nftables:nft haproxy:haproxy)
bench=(ovn-central:ovn-northd ovn-host:ovn-controller iperf3:iperf3 python3:python3)

want=("${run[@]}")
case "${1:-run}" in
run) ;;
test) want+=("${test[@]}") ;;
bench) want+=("${test[@]}" "${bench[@]}") ;;
*)
    echo "usage: $0 run|test|bench" >&2
    exit 2
    ;;
esac

present() {
    case "$1" in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing=()
for entry in "${want[@]}"; do
    present "${entry#*:}" || missing+=("${entry%%:*}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "missing: ${missing[*]}. Run as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
command -v apt-get >/dev/null || {
    echo "missing: ${missing[*]}. This machine has no apt-get: install them its own way" >&2
    exit 1
}
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
mine=
cleanup() {
    rm -f "$log"
    [ -z "$mine" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# The machine's own Open vSwitch is not wanted: labs start theirs. A policy that
# forbids starting services is only put in place where there is none.
if [ ! -e "$policy" ]; then
    mine=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
# What apt says is of interest only if it fails. Another apt may be at work: wait.
apt=(apt-get -qq -o DPkg::Lock::Timeout=120)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    echo "these packages could not be installed: ${missing[*]}" >&2
    exit 1
fi
