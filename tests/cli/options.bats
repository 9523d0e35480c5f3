#!/usr/bin/env bats
# Arguments, the plan, the self test, and what is said when something is amiss.
load helpers

@test "--help and --version" {
    run -0 "$plugin" --help
    for option in --entry --return --global --process --filedescriptor --vfs --config --attach --watch --plan --check --once --ticks; do
        [[ $output == *$option* ]]
    done
    run -0 "$plugin" --version
    [[ $output =~ ^ebpf.plugin\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "--plan says for every hook where it is attached, or why not" {
    run -0 "$plugin" --plan --return
    for hook in vfs_read vfs_write vfs_open file_open file_close process_exit process_start process_clone; do
        [[ $output =~ (^|$'\n')$hook\ +(tracepoint|trampoline|kprobe|kprobe.multi|syscalls|-)\ +[^$'\n']+ ]]
    done
}

# bats test_tags=alone
@test "--check finds every counter exact" {
    run "$plugin" --check --return
    echo "$output"
    ((status == 0))
    [[ $output == *"All counters are exact."* && $output != *WRONG* && $output != *UNTRIED* ]]
}

# bats test_tags=alone
@test "--check tells when made and counted differ" {
    # A workload that says that it made more calls than it did.
    cp "$plugin" plugin
    sed 's/made %lu/made 9%u/' "$(dirname "$plugin")/ebpf-workload" >ebpf-workload
    chmod +x ebpf-workload
    run -1 ./plugin --check --process
    [[ $output =~ "process start processes"[^$'\n']*WRONG && $output == *"Some counters are WRONG."* ]]
}

@test "--check without its workload says what is missing" {
    cp "$plugin" plugin
    run -1 ./plugin --check
    [[ $output == *"ebpf-workload is not beside ebpf.plugin"* ]]
}

# bats test_tags=alone
@test "--check of one group tests that group" {
    run -0 "$plugin" --check --process
    [[ $output != *"vfs read"* && $output == *"process exit"* ]]
}

@test "once a group is named, only those named run" {
    "$plugin" 1 --once --filedescriptor >out 2>err
    grep -q '^CHART ebpf.file_descriptor ' out
    not grep -qE '^CHART ebpf\.(io|exit|process_thread) ' out
    "$plugin" 1 --once --filedescriptor --all >out 2>err
    grep -q '^CHART ebpf.io ' out
}

@test "an unknown option costs a line, not the plugin" {
    "$plugin" 1 --once --no-such-option >out 2>err
    grep -q 'unknown option --no-such-option' err
    grep -q '^END' out
}

@test "values that are not understood cost a line each" {
    "$plugin" soon --once --attach glue --ticks 1x >out 2>err &
    pid=$!
    wait_for '^END'
    kill -TERM "$pid" 2>/dev/null || true
    grep -q 'update interval `soon` is not understood' err
    grep -q -- '--attach `glue` is not understood: auto, trampoline, probe or syscalls' err
    grep -q -- '--ticks `1x` is not understood' err
}

@test "what cannot be printed is no success" {
    run -1 bash -c '"$1" --plan >/dev/full' - "$plugin"
    [[ $output == *"write to standard output: No space left on device"* ]]
}

@test "without rights: one line that says what to do, DISABLE, status 0" {
    chmod 755 . user
    cp "$plugin" plugin
    run -0 setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all ./plugin 1
    [[ $output == *"ERROR: the kernel lets this user load no eBPF program"*"setcap"* ]]
    [[ ${lines[-1]} == DISABLE ]]
    run -1 setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all ./plugin --check
    [[ $output == *"setcap"* && $output != *DISABLE* ]]
}

@test "without type information: one line that says what to do" {
    printf '[global]\nbtf path = /nowhere\n' >user/ebpf.conf
    run -0 "$plugin" 1
    [[ $output == *"no type information of the kernel at /nowhere: No such file"*"take the line out"* && ${lines[-1]} == DISABLE ]]
}

@test "a way that this kernel has not got: what is left is counted, and each loss is told" {
    "$plugin" 1 --once --attach trampoline >out 2>err
    if ! grep -q 'trampoline' <("$plugin" --plan --attach trampoline | grep '^vfs_read '); then
        grep -qE 'vfs_read(, .*)? (is|are) not counted: ' err
        not grep -q '^CHART ebpf.io ' out
    fi
    grep -q '^CHART ebpf.exit ' out
}

@test "what is not counted for one reason is told in one line" {
    local ways
    for ways in auto trampoline syscalls; do
        "$plugin" 1 --once --attach $ways >out 2>err
        # Each hook that has no way, with its reason as --plan has it.
        "$plugin" --plan --attach $ways | awk '$2 == "-"' >missing
        while read -r hook _ why; do
            grep 'WARNING: .*not counted: ' err | grep -F -- "$why" | grep -qw -- "$hook"
        done <missing
        sort -k 3 <missing | awk '{ $1 = ""; print }' | uniq >reasons
        if grep -q 'INFO: counting: .* by syscalls' err; then
            [[ $(grep -c 'WARNING: .*not counted' err) == 1 ]]
            grep 'not counted' err | grep -q 'end of each system call is, which makes every call'
        else
            [[ $(grep -c 'WARNING: .*not counted' err) == $(wc -l <reasons) ]]
        fi
    done
}

@test "at a terminal it says what it does and how to end it" {
    script -qec "$plugin 1 --once" /dev/null </dev/null >out
    grep -q 'Ctrl-C ends it' out
}
