#!/usr/bin/env bash
# Installs the Debian packages that are missing for what is named: run, test or bench.
set -euo pipefail

run=(openvswitch-switch:ovs-vswitchd iproute2:ip ethtool:ethtool iputils-ping:ping procps:sysctl)
test=(curl:curl)
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

missing=()
for entry in "${want[@]}"; do
    command -v "${entry#*:}" >/dev/null 2>&1 || PATH="$PATH:/usr/sbin:/sbin" command -v "${entry#*:}" >/dev/null 2>&1 || missing+=("${entry%%:*}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "missing: ${missing[*]}. Run as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The machine's own Open vSwitch is not wanted: labs start theirs. A policy that
# forbids starting services is only put in place where there is none.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
