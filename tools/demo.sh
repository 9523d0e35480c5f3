#!/bin/bash
# Installs what is missing, builds the plugin and runs it on this machine's kernel, while a few files are opened and processes
# started for it to count: for ten seconds, printing its lines; with --agent under a Netdata agent of its own, on a port of
# the loopback, until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install-packages.sh tools/packages
[[ -f build/demo/build.ninja ]] || cmake --preset release -B build/demo -DEBPF_PLUGIN_TESTS=OFF >/dev/null
cmake --build build/demo --target ebpf.plugin ebpf-workload >/dev/null
plugin=$PWD/build/demo/ebpf.plugin

work() { # TIMES
    for ((i = 0; i < $1; i++)); do
        sleep 0.5
        cat /etc/hostname >/dev/null
    done
}

if [[ ${1-} != --agent ]]; then
    work 20 &
    "$plugin" 1 --return --ticks 10
    wait
    exit
fi

source tests/agent/private_agent.bash
export AGENT=$PWD/build/agent
unpack_agent
folder=$(mktemp -d -t ebpf-demo.XXXXXX)
agents=() busy=
end() {
    trap '' INT TERM
    kill "${agents[@]}" ${busy:+"$busy"} 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 0' INT TERM
cd "$folder"
lay_out demo
printf '%s\n' '[global]' 'ebpf load mode = return' >demo/etc/ebpf.conf
run_agent demo
echo "the dashboard: http://127.0.0.1:${port[demo]}/#menu_ebpf (from elsewhere: ssh -L ${port[demo]}:127.0.0.1:${port[demo]} …); Ctrl-C ends it"
work 1000000 &
busy=$!
wait "${running[demo]}"
