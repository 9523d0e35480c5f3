#!/usr/bin/env bats
# Whose counts they are: what real programs have done, against the charts.
load helpers
load work

setup_file() {
    cat /sys/kernel/btf/vmlinux >/dev/null # into memory: the first start would read it slowly
}

@test "three applications: by name, by command line, by inheritance; the rest is other" {
    printf '%s\n' "alpha: $alpha*" "beta: */${beta}?.dir* */${beta}1.dir*" "gamma: $gamma" >user/apps_groups.conf
    go
    worker "${alpha}1" openat 200
    worker "${alpha}2" openat_fail 150
    worker "${beta}1" read 300
    worker nobody write 120
    cp /bin/bash "$gamma"
    mkdir child.dir
    ln -s "$workload" child
    "./$gamma" -c './child mixed 100 "$PWD/child.dir" >child.made & echo $! >child.pid; wait' 3>&- 9>&- &
    for _ in {1..100}; do [[ ! -s child.pid ]] || break; sleep 0.1; done
    workers+=("$(cat child.pid)")
    work
    local opens reads bytes writes failed
    opens=$(grown apps.file_open alpha)
    failed=$(grown apps.file_open_error alpha)
    reads=$(grown apps.vfs_read_call beta)
    bytes=$(grown apps.vfs_read_bytes beta)
    writes=$(grown apps.vfs_write_call gamma)
    local beta_opens gamma_opens gamma_bytes
    beta_opens=$(grown apps.file_open beta)
    gamma_opens=$(grown apps.file_open gamma)
    gamma_bytes=$(grown apps.vfs_write_bytes gamma)
    local system_opens system_reads apps_opens apps_reads
    system_opens=$(value ebpf.file_descriptor do_sys_open)
    apps_opens=$(sum apps.file_open)
    system_reads=$(value ebpf.io vfs_read)
    apps_reads=$(sum apps.vfs_read_call)
    finish
    same "alpha's opens" $(($(made "${alpha}1" 1) + $(made "${alpha}2" 1))) "$opens"
    same "alpha's failed opens" "$(made "${alpha}2" 2)" "$failed"
    same "beta's reads" "$(made "${beta}1" 1)" "$reads"
    same "beta's bytes" "$(made "${beta}1" 3)" "$bytes"
    same "beta's opens" 0 "$beta_opens"
    same "gamma's writes" "$(made child 1)" "$writes"
    same "gamma's opens" "$(made child 1)" "$gamma_opens"
    same "gamma's bytes" "$(made child 3)" "$gamma_bytes"
    same "opens of all applications" "$system_opens" "$apps_opens"
    same "reads of all applications" "$system_reads" "$apps_reads"
}

@test "two plugins at once: both see all, and neither is in the other's way" {
    printf '%s\n' "alpha: $alpha*" "beta: $beta*" "shell: bash bats*" >user/apps_groups.conf
    mkfifo second.in
    "$plugin" 1 --return <second.in >second.out 2>second.err 3>&- &
    second=$!
    exec 8>second.in
    go
    for _ in {1..200}; do ! grep -q ^END second.out || break; sleep 0.05; done
    worker "${alpha}1" openat 200
    worker "${beta}1" read 300
    work
    cp second.out of_second
    finish
    kill -TERM $second
    wait $second
    (($(value apps.file_open alpha) >= 200))
    same opens "$(value apps.file_open alpha)" "$(value apps.file_open alpha of_second)"
    same reads "$(value apps.vfs_read_call beta)" "$(value apps.vfs_read_call beta of_second)"
    not grep -q ERROR err second.err
    ticks 2
}

@test "forks, threads and their ends count for their application" {
    printf '%s\n' "alpha: $alpha*" "beta: $beta*" >user/apps_groups.conf
    go
    worker "${alpha}1" clone_process 150
    worker "${beta}1" thread 130
    worker "${beta}2" clone_process_fail 110
    work
    local started exited threads errors closed
    started=$(grown apps.process_create alpha)
    exited=$(grown apps.task_exit alpha)
    closed=$(grown apps.task_close alpha)
    threads=$(grown apps.thread_create beta)
    errors=$(grown apps.task_error beta)
    finish
    same "alpha's starts" "$(made "${alpha}1" 1)" "$started"
    same "alpha's exits" "$(made "${alpha}1" 1)" "$exited"
    same_releases "alpha's releases" "$(made "${alpha}1" 1)" "$closed"
    same "beta's threads" "$(made "${beta}1" 1)" "$threads"
    same "beta's errors" "$(made "${beta}2" 2)" "$errors"
}

@test "a daemon that has forked twice counts for the application that started it" {
    echo "gamma: $gamma" >user/apps_groups.conf
    go
    cp /bin/bash "$gamma"
    mkdir daemon.dir
    ln -s "$workload" daemon
    "./$gamma" -c '(setsid ./daemon read 200 "$PWD/daemon.dir" >daemon.made 2>/dev/null & echo $! >daemon.pid) &' 3>&- 9>&-
    for _ in {1..100}; do [[ ! -s daemon.pid ]] || break; sleep 0.1; done
    workers+=("$(cat daemon.pid)")
    work
    local reads
    reads=$(grown apps.vfs_read_call gamma)
    kill -CONT "${workers[@]}"
    for _ in {1..100}; do [[ ! -s daemon.made ]] || break; sleep 0.1; done
    same "the daemon's reads" "$(made daemon 1)" "$reads"
}

@test "a storm of short-lived programs counts for the application that started them" {
    echo "gamma: $gamma" >user/apps_groups.conf
    # Where the machine is the test's own, the ids are used again and again.
    local ids
    ids=$(cat /proc/sys/kernel/pid_max)
    [[ -z ${EBPF_OWN_MACHINE-} ]] || echo 500 >/proc/sys/kernel/pid_max
    go
    cp /bin/bash "$gamma"
    ln -s "$workload" short
    mkfifo begin
    "./$gamma" -c 'read -r _ <begin; for ((i = 0; i < 800; i++)); do ./short --exit; done; echo done >stormed; read -r _ <begin' 3>&- 9>&- &
    workers+=($!)
    ticks 2
    look before.out
    echo go >begin
    for _ in {1..600}; do [[ ! -s stormed ]] || break; sleep 0.1; done
    ticks 2
    look now.out
    [[ -z ${EBPF_OWN_MACHINE-} ]] || echo "$ids" >/proc/sys/kernel/pid_max
    same "the storm's starts" 800 "$(grown apps.process_create gamma)"
    same "the storm's exits" 800 "$(grown apps.task_exit gamma)"
    same_releases "the storm's releases" 800 "$(grown apps.task_close gamma)"
    same "starts of all applications" "$(value ebpf.process_thread _do_fork)" "$(sum apps.process_create)"
    echo go >begin
}

@test "after an exec it is another application, and the groups can be read again" {
    printf '%s\n' "shell: $beta" "alpha: $alpha*" >user/apps_groups.conf
    go
    cp /bin/bash "$beta"
    mkdir "${alpha}1.dir"
    ln -s "$workload" "${alpha}1"
    "./$beta" -c 'for i in {1..50}; do read -r _ </etc/hostname; done; exec "./$0" openat 200 "$PWD/$0.dir" >"$0.made"' "${alpha}1" 3>&- 9>&- &
    workers+=($!)
    work
    local opens
    opens=$(grown apps.file_open alpha)
    same "opens of the shell after its exec" 0 "$(grown apps.file_open shell)"
    (($(value apps.file_open shell) >= 50))
    finish
    same "alpha's opens" "$(made "${alpha}1" 1)" "$opens"

    echo "renamed: $alpha*" >user/apps_groups.conf
    kill -HUP "$pid_of_plugin"
    rm -r "${alpha}1.dir"
    worker "${alpha}1" openat 100
    work
    opens=$(grown apps.file_open renamed)
    finish
    same "opens under the new rules" "$(made "${alpha}1" 1)" "$opens"
    grep -q 'have been read again: .*user/apps_groups.conf$' err
}

@test "a move between cgroups: what was before it stays with the old one" {
    local old new reads left
    new_cgroup "ebpf_test_old_$$"
    old=$cgroup
    new_cgroup "ebpf_test_new_$$"
    new=$cgroup
    go
    mkdir mover.dir
    ln -s "$workload" mover
    bash -c 'echo $$ >"$1/cgroup.procs"; exec ./mover read 200 "$PWD/mover.dir" >mover.made' - "$old" 3>&- 9>&- &
    workers+=($!)
    await_stop "${workers[@]}"
    ticks 2
    look now.out
    local was
    was=$(value "cgroup_${old##*/}.vfs_write_call" vfs_write)
    echo "${workers[0]}" >"$new/cgroup.procs"
    work
    reads=$(grown "cgroup_${new##*/}.vfs_read_call" vfs_read)
    left=$(grown "cgroup_${old##*/}.vfs_read_call" vfs_read)
    finish
    ((was >= 200)) # it wrote the file that it reads, before it was moved
    same "reads in the new one" "$(made mover 1)" "$reads"
    same "reads in the old one, after the move" 0 "$left"
}

@test "disable apps and cgroups: no chart of theirs, nothing attached for them" {
    printf '%s\n' "[global]" "disable apps = yes" "cgroups = no" >user/ebpf.conf
    "$plugin" --once >out
    not grep -qE '^CHART (apps|app|services|cgroup_|systemd_)' out
    "$plugin" --plan >plan
    not grep -q process_move plan
    "$plugin" --global --once >out
    not grep -qE '^CHART (apps|app|services|cgroup_|systemd_)' out
}

# bats test_tags=host
@test "without Netdata's file our own groups, with it Netdata's; without any, those that are built in" {
    "$plugin" --once >out 2>err
    grep -q 'INFO: .*applications by the built-in rules$' err
    not grep -q apps_groups err
    grep -q "^DIMENSION 'shells' 'shells' " out
    echo "ours: bash bats*" >stock/ebpf_apps_groups.conf
    "$plugin" --once >out 2>err
    grep -q 'INFO: read .*stock/ebpf_apps_groups.conf$' err
    not grep -q "'shells'" out
    grep -q "^DIMENSION 'ours' 'ours' " out
    echo "theirs: bash bats*" >stock/apps_groups.conf
    "$plugin" --once >out 2>err
    not grep -q "'ours'" out
    grep -q "^DIMENSION 'theirs' 'theirs' " out
}

# bats test_tags=host
@test "a rule that is wrong is named with its line, the others stand" {
    printf '%s\n' "alpha: $alpha*" "lonely" "beta: 'open" >user/apps_groups.conf
    "$plugin" --once >out 2>err
    grep -q "user/apps_groups.conf:2: the group has no process" err
    grep -q "user/apps_groups.conf:3: a quote is opened" err
    grep -q '^CHART apps.file_open ' out
}

# bats test_tags=host
@test "the function ebpf-processes: registered for agents that know it, answers with a table" {
    "$plugin" --once >out
    not grep -q '^FUNCTION' out
    NETDATA_VERSION=v1.36.0 "$plugin" --once >out
    not grep -q '^FUNCTION' out
    export NETDATA_VERSION=v1.37.1
    echo "alpha: $alpha*" >user/apps_groups.conf
    go
    grep -q '^FUNCTION GLOBAL "ebpf-processes" 10 "' out
    worker "${alpha}1" read 200
    await_stop "${workers[@]}"
    printf 'FUNCTION tx1 10 "ebpf-processes"\n' >&9
    ticks 0
    kill -CONT "${workers[@]}"
    wait_for '^FUNCTION_RESULT_BEGIN tx1 200 application/json [0-9]+$'
    ticks 1
    sed -n '/^FUNCTION_RESULT_BEGIN tx1/,/^FUNCTION_RESULT_END/p' out | sed '1d;$d' >table.json
    python3 - "${workers[0]}" "${alpha}1" <<'END'
import json, sys
table = json.load(open("table.json"))
assert table["status"] == 200 and table["type"] == "table", table
columns = table["columns"]
assert sorted(c["index"] for c in columns.values()) == list(range(len(columns)))
rows = [r for r in table["data"] if r[columns["PID"]["index"]] == int(sys.argv[1])]
assert len(rows) == 1, rows
row = rows[0]
assert row[columns["Name"]["index"]] == sys.argv[2] and row[columns["Application"]["index"]] == "alpha", row
assert row[columns["User"]["index"]] == "root", row
assert "read 200" in row[columns["Command"]["index"]], row
assert all(len(r) == len(columns) for r in table["data"])
assert len({r[0] for r in table["data"]}) == len(table["data"]), "PID is the key"
END
    printf 'FUNCTION tx2 10 "ebpf-processes info"\nFUNCTION tx3 10 "nonsense"\n' >&9
    wait_for '^FUNCTION_RESULT_BEGIN tx2 200 '
    wait_for '^FUNCTION_RESULT_BEGIN tx3 404 '
    finish
}
