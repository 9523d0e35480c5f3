#!/bin/bash
# Installs what is missing, builds the plugin and runs it on this machine's kernel for ten seconds, printing its lines,
# while a few files are opened and processes started for it to count.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install-packages.sh tools/packages
[[ -f build/demo/build.ninja ]] || cmake --preset release -B build/demo -DEBPF_PLUGIN_TESTS=OFF >/dev/null
cmake --build build/demo --target ebpf.plugin >/dev/null

for _ in {1..20}; do
    sleep 0.5
    cat /etc/hostname >/dev/null
done &
build/demo/ebpf.plugin 1 --return --ticks 10
wait
