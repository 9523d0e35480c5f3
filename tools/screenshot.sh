#!/bin/bash
# Takes the README's pictures anew, on this machine's kernel: tools/screenshot.sh dashboard|watch [FILE]
#   dashboard  the eBPF menu of an agent's dashboard, after a minute of work
#   watch      a terminal with `ebpf.plugin --watch`, beside some work
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1-}
[[ $what == dashboard || $what == watch ]] || { echo "usage: tools/screenshot.sh dashboard|watch [FILE]" >&2 && exit 2; }
picture=$(realpath -m "${2-charts/$what.png}")
source tests/agent/private_agent.bash

tools/install-packages.sh tools/packages tests/packages <(printf '%s\n' chromium-driver python3-selenium)
take=(/usr/bin/python3 "$PWD/tools/screenshot.py")
folder=$(mktemp -d -t ebpf-screenshot.XXXXXX)
trap 'set +e; kill "${started[@]}" 2>/dev/null; wait "${started[@]}"; rm -rf "$folder"' EXIT
started=()

if [[ $what == watch ]]; then
    tools/demo.sh >/dev/null # builds
    at=$(a_port)
    cp conf.d/ebpf_apps_groups.conf "$folder/apps_groups.conf"
    /usr/bin/python3 tests/cli/traffic.py serve tcp 127.0.0.1 "$at" >/dev/null &
    started+=($!)
    sleep 1
    (while sleep 0.01; do echo 40000; done) | /usr/bin/python3 tests/cli/traffic.py talk tcp 127.0.0.1 "$at" >/dev/null &
    started+=($!)
    NETDATA_USER_CONFIG_DIR=$folder "${take[@]}" terminal "$picture" 10 build/demo/ebpf.plugin 1 --watch --return
    exit
fi

tools/demo.sh --agent >"$folder/said" &
started+=($!)
until grep -q "^the dashboard" "$folder/said"; do
    kill -0 "${started[0]}"
    sleep 0.5
done
port[demo]=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/.*|\1|p' "$folder/said")

cd "$folder"
for i in {1..75}; do # rises and falls
    for ((n = 0; n < 20 + (i % 20 < 10 ? i % 20 : 20 - i % 20) * 6; n++)); do
        cp /etc/hostname copy
        rm copy
    done
    curl -fsS -o /dev/null "http://127.0.0.1:${port[demo]}/api/v1/charts"
    sleep 0.8
done
"${take[@]}" dashboard "http://127.0.0.1:${port[demo]}/#theme=white;after=-60;before=0" "$picture"
