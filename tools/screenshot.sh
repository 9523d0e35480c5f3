#!/bin/bash
# Takes the README's picture anew: the eBPF menu of an agent's dashboard on this machine's kernel, after a minute of work.
# tools/screenshot.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
picture=$(realpath -m "${1-charts/dashboard.png}")
source tests/agent/private_agent.bash

tools/install-packages.sh tools/packages tests/packages <(printf '%s\n' chromium-driver python3-selenium)
take=$PWD/tools/screenshot.py
folder=$(mktemp -d -t ebpf-screenshot.XXXXXX)
tools/demo.sh --agent >"$folder/said" &
demo=$!
trap 'kill $demo 2>/dev/null; wait $demo; rm -rf "$folder"' EXIT
until grep -q "^the dashboard" "$folder/said"; do
    kill -0 $demo
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
/usr/bin/python3 "$take" "http://127.0.0.1:${port[demo]}/#theme=white;after=-60;before=0" "$picture"
