#!/usr/bin/env bats
# The limits that the user sets: what is over them goes, dearest first, and the rest goes on; and the kernel's limits.
load helpers
load work

# Sockets are what every kernel can leave out; here they are the dearest.
busy_sockets() {
    python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.sendto(b"x", ("127.0.0.1", 9))' 3>&- 9>&- &
    busy=$!
}

teardown() {
    [[ -z ${busy-} ]] || kill -KILL "$busy"
    [[ -z ${pid-} ]] || kill -KILL "$pid" 2>/dev/null || true
    [[ -z ${cgroup-} ]] || rmdir "$cgroup"
    speaks_the_protocol
}

limits() { # LINES of [global]; all charts there are
    printf '%s\n' "[global]" "$@" >user/ebpf.conf
    printf "%s\n" "alpha: $alpha*" "shell: bash bats*" >user/apps_groups.conf
}
left_out() { grep -c 'WARNING: takes .* the group socket, the dearest that can be left out, is no longer counted' err; }
await_left_out() {
    for _ in {1..1200}; do
        (($(left_out) == 0)) || return 0
        sleep 0.05
    done
    cat err >&2
    return 1
}
held() { find "/proc/$pid/fd" -lname "anon_inode:bpf$1" | wc -l; }

# Every chart of sockets has gone, of the system, the applications and the viewer; and no other.
sockets_have_gone() {
    ticks 2
    grep "^CHART .* 'obsolete' " out | awk '{ print $2 }' | sort >gone
    grep '^CHART .* ebpf.plugin socket$' out | awk '{ print $2 }' | sort -u >of_sockets
    grep -q '^ebpf.outbound_bytes$' of_sockets
    diff gone of_sockets >&2
    awk "/^CHART .* 'obsolete' /"' { gone[$2] } /^BEGIN/ && $2 in gone { exit 1 }' out
}
# What is left counts on as it did.
others_count_on() {
    worker "${alpha}1" openat 200
    work
    same opens 200 "$(grown apps.file_open alpha)"
    finish
}

@test "too much processor time: the dearest group goes, its charts with it, the others count on" {
    busy_sockets
    limits "cpu limit = 2"
    start 1
    wait_for '^END'
    local links
    links=$(held _link)
    [[ -n $links ]]
    await_left_out
    grep -q 'takes [1-9][0-9.]* % of a CPU (programs in the kernel [1-9][0-9.]* %), more than the `cpu limit` of 2 %' err
    kill -KILL "$busy" # else others may be over the limit too, on a slow machine
    busy=
    sockets_have_gone
    (($(held _link) < links))
    others_count_on
    kill -TERM "$pid"
    ends_with 0
}

@test "too much memory: that of the connections is given back, and is enough" {
    limits "memory limit = 24" "connection table size = 131072"
    start 1
    wait_for '^END'
    local maps
    maps=$(held -map)
    await_left_out
    sockets_have_gone
    (($(held -map) < maps))
    ticks 22 # it is content
    (($(left_out) == 1))
    (($(value netdata.ebpf_memory maps out) + $(value netdata.ebpf_memory plugin out) < 24 << 20))
    others_count_on
    printf 'FUNCTION x 10 "ebpf-connections"\n' >&9
    wait_for '^FUNCTION_RESULT_BEGIN x 404 '
    kill -TERM "$pid"
    ends_with 0
}

@test "a limit that cannot be kept: it ends, and says so to the agent" {
    limits "memory limit = 1"
    start 1 --process --filedescriptor
    wait "$pid"
    pid=
    [[ $(grep -c 'ERROR: takes .* MB (maps in the kernel .* MB), more than the `memory limit` of 1 MB, and there is no group left' err) == 1 ]]
    [[ $(tail -1 out) == DISABLE ]]
}

@test "without a limit nothing is timed, and no right is kept for it" {
    limits "cgroups = no"
    start 1 --process
    wait_for '^END'
    not grep -q ebpf_run_time out
    capsh --decode="$(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")" >held
    not grep -q cap_sys_admin held
}

@test "a control group with too little memory: values, or a reason, or the kernel ends it; nothing is left behind" {
    local max=memory.max events=memory.events limit status
    { echo +memory >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
    new_cgroup "few_$$"
    [[ -f $cgroup/$max ]] || max=memory.limit_in_bytes events=memory.oom_control # version 1
    for limit in 2M 4M 6M 8M 12M 16M 24M 48M; do
        echo $limit >"$cgroup/$max"
        status=0
        bash -c 'echo $$ >"$1/cgroup.procs"; exec "$2" 1 --ticks 2' - "$cgroup" "$plugin" </dev/null >out 2>err || status=$?
        echo "$limit: status $status, $(grep -c '^SET' out) values, $(tail -1 out), $(grep ERROR err)" >&2
        if ((status == 137)); then
            grep -q '^oom_kill [1-9]' "$cgroup/$events"
            : >out # cut anywhere
        elif ! grep -q '^SET' out; then
            [[ $status == 0 && $(tail -1 out) == DISABLE && $(grep -c ERROR err) == 1 ]]
        fi
        for _ in {1..600}; do
            [[ -n $(<"$cgroup/cgroup.procs") ]] || break
            sleep 0.1
        done
        [[ -z $(<"$cgroup/cgroup.procs") ]] # whose programs the kernel gives up with them: none is pinned
    done
    ((status == 0)) && grep -q '^SET' out
}
