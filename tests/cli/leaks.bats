#!/usr/bin/env bats
# A day and more, compressed: while processes, control groups and connections come and go, the plugin's memory stays.
load helpers
load work

# Of the plugin: its own memory in KiB, its descriptors, the kernel's memory for its maps.
size() {
    echo "$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")" "$(ls "/proc/$pid/fd" | wc -l)" "$(value netdata.ebpf_memory maps out)"
}
updates() { # N: until so many have been printed
    until (($(stat -c %s counted) >= $1)); do sleep 0.2; done
}

# bats test_tags=alone
@test "memory is flat over EBPF_TEST_UPDATES updates (30000) in which everything comes and goes" {
    local all=${EBPF_TEST_UPDATES-30000} name memory files maps memory_now files_now maps_now
    printf '%s\n' "[global]" "obsolete after = 10" >user/ebpf.conf
    printf '%s\n' "alpha: $alpha*" "beta: $beta*" "shell: bash bats*" >user/apps_groups.conf
    for name in "$alpha"{1..9} "$beta"{1..9}; do ln -s /bin/true "$name"; done
    (
        new_cgroup "come_and_go_$$" 2>/dev/null || cgroup=
        while sleep 0.01; do
            for name in {1..9}; do
                mkdir ${cgroup:+"$cgroup/$name.service"} 2>/dev/null
                (
                    echo "$BASHPID" >"$cgroup/$name.service/cgroup.procs"
                    exec "./$alpha$name"
                ) 2>/dev/null
                "./$beta$name"
                rmdir ${cgroup:+"$cgroup/$name.service"} 2>/dev/null
            done
        done
    ) 3>&- &
    churn=$!
    python3 -c '
import socket
server = socket.create_server(("127.0.0.1", 0))
while True:
    for i in range(50):
        client = socket.create_connection(server.getsockname())
        accepted = server.accept()[0]
        client.sendall(b"x")
        accepted.recv(1)
        client.close()
        accepted.close()' 3>&- &
    busy=$!
    mkfifo in
    LD_PRELOAD=${protocol_check%/*}/libfast-clock.so "$plugin" 1 --return <in 2>err >/dev/null 3>&- \
        > >(awk '/^BEGIN ebpf.exit/ { printf "." >"counted"; fflush("counted") } /^CHART netdata.ebpf_memory|^BEGIN netdata.ebpf_memory/ { keep = 4 } keep-- > 0 { print >"out"; fflush("out") }') &
    pid=$!
    exec 9>in
    : >>counted
    updates $((all * 2 / 5))
    read -r memory files maps < <(size)
    updates "$all"
    read -r memory_now files_now maps_now < <(size)
    echo "# KiB of its own after $((all * 2 / 5)) updates $memory, after $(stat -c %s counted) $memory_now" >&3
    ((memory_now < memory * 103 / 100 + 128))
    ((files_now <= files + 2)) # some are open for a moment
    ((maps_now == maps))
    kill -TERM "$pid"
    ends_with 0
}

teardown() {
    for process in ${churn-} ${busy-} ${pid-}; do kill -KILL "$process" 2>/dev/null || true; done
    rmdir /sys/fs/cgroup/{,memory/}"come_and_go_$$"/*.service /sys/fs/cgroup/{,memory/}"come_and_go_$$" 2>/dev/null || true
}
