#!/usr/bin/env bats
# What the agent reads: charts before their values, nothing else, in one piece, in time.
load helpers

@test "charts are defined once, before their values, which come every second" {
    # Others come and go, and a chart of the viewer is told again with each new dimension.
    printf '%s\n' "[global]" "cgroups = no" "[network viewer]" "enabled = no" >user/ebpf.conf
    echo 'nothing: nobody' >user/apps_groups.conf
    "$plugin" 1 --return --ticks 3 >out
    "$protocol_check" <out
    awk '$1 == "CHART" && defined[$2]++ { print $2 " is defined twice"; exit 1 }
         $1 == "BEGIN" { begins[$2]++ }
         END { for (c in defined) if (begins[c] != 3) { print c " has " begins[c] " updates"; exit 1 } }' out
}

@test "protocol-check: reads the plugin live, is silent if all is right, names the line that is wrong" {
    run -0 --separate-stderr bash -c '"$1" 1 --ticks 3 </dev/null 2>err | "$2"' - "$plugin" "$protocol_check"
    [[ $output == "" && $stderr =~ ^protocol-check:\ [0-9]+\ lines,\ [0-9]+\ charts,\ [0-9]+\ updates,\ 0\ violations$ ]]
    "$plugin" 1 --once >once
    sed '/^BEGIN ebpf.io /s/io/oi/' once >wrong
    run -1 --separate-stderr "$protocol_check" <wrong
    local at
    at=$(grep -n '^BEGIN ebpf.oi' wrong)
    [[ ${lines[0]} == "${at%%:*}: BEGIN of chart ebpf.oi, which is not defined: it disables the plugin" ]]
    rm wrong
    head -c -1 once >cut
    run -1 --separate-stderr "$protocol_check" <cut
    [[ $output == *"the last line has no end" ]]
    run -0 --separate-stderr "$protocol_check" --cut <cut
    NETDATA_VERSION=v1.37.0 "$plugin" 1 --once >labels
    run -1 --separate-stderr "$protocol_check" --agent v1.31.0 <labels
    [[ $output == *"is no keyword of agent 1.31"* ]]
    run -2 --separate-stderr "$protocol_check" --agent new <labels
    [[ $stderr == *"is no version of an agent"* ]]
}

@test "every CHART line has its twelve fields" {
    "$plugin" 1 --return --once >out
    [[ -z $(sed -n "/^CHART/{ s/'[^']*'/x/g; /^CHART\( [^ ]\+\)\{12\}$/!p }" out) ]]
}

@test "the first update has no duration, the following have theirs in microseconds" {
    "$plugin" 1 --ticks 3 >out
    mapfile -t begins < <(grep '^BEGIN ebpf.exit' out)
    [[ ${begins[0]} == "BEGIN ebpf.exit " ]]
    for i in 1 2; do
        read -r _ _ elapsed <<<"${begins[$i]}"
        ((elapsed > 900000 && elapsed < 1100000))
    done
}

@test "totals never fall, and move when files are opened and processes started" {
    (for _ in {1..20}; do cat /etc/hostname; sleep 0.1; done >/dev/null) &
    "$plugin" 1 --return --ticks 3 >out
    wait
    awk '$1 == "CHART" { chart = $2 } $1 == "DIMENSION" && $4 == "incremental" { rises[chart, $2] = 1 }
         $1 == "BEGIN" { chart = $2 }
         $1 == "SET" && rises[chart, $2] { if ($4 < last[chart, $2]) exit 1; last[chart, $2] = $4 }
         END { exit !(last["ebpf.file_descriptor", "do_sys_open"] > 20 && last["ebpf.process_thread", "_do_fork"] > 10 &&
                      last["ebpf.io", "vfs_read"] > 20 && last["ebpf.io_bytes", "vfs_read"] > 20) }' out
}

@test "written bytes are drawn below the axis" {
    "$plugin" 1 --once >out
    grep -q '^DIMENSION vfs_write write incremental -1 1' out
}

@test "--entry draws no error charts, --return does" {
    "$plugin" 1 --once --entry >entry
    "$plugin" 1 --once --return >return
    not grep -qE '^CHART [^ ]*error' entry
    for chart in ebpf.file_error ebpf.io_error ebpf.task_error filesystem.vfs_fsync_error; do grep -q "^CHART $chart " return; done
}

@test "each update leaves in one write" {
    command -v strace || false
    strace -f -e trace=write -e signal=none -o trace "$plugin" 1 --ticks 4 >out
    # One for the charts, one for each update.
    [[ $(grep -c 'write(1,' trace) == 5 ]]
}

@test "an older agent gets no labels, a newer one and nobody do" {
    for version in v1.24.0 1.31.0-20; do
        NETDATA_VERSION=$version "$plugin" 1 --once --attach syscalls >out
        "$protocol_check" --agent "$version" <out
        not grep -q CLABEL out
    done
    for version in v1.37.1 v2.10.0 1.32.0; do
        NETDATA_VERSION=$version "$plugin" 1 --once --attach syscalls >out
        "$protocol_check" --agent "$version" <out
        grep -q '^CLABEL source syscalls 1$' out
        grep -q '^CLABEL_COMMIT$' out
    done
}

@test "the charts about the plugin itself can be switched off by the agent" {
    "$plugin" 1 --once >out
    for chart in programs events slots tick memory; do grep -q "^CHART netdata.ebpf_$chart " out; done
    NETDATA_INTERNALS_MONITORING=NO "$plugin" 1 --once >out
    not grep -q netdata.ebpf out
}

@test "the processor time of the programs and of the plugin is charted while asked for" {
    printf '[global]\nrun time statistics = yes\n' >user/ebpf.conf
    "$plugin" 1 --ticks 13 >out
    awk '/^BEGIN/ { at = $2 == "netdata.ebpf_run_time" } at && /^SET/ && $4 > 0 { moved[$2] } END { exit length(moved) != 2 }' out
}

@test "both namings are there" {
    "$plugin" 1 --once --return >classic
    printf '[global]\nchart names = current\n' >user/ebpf.conf
    "$plugin" 1 --once --return >current
    for chart in ebpf.file_descriptor ebpf.io ebpf.io_bytes ebpf.process_thread ebpf.exit; do grep -q "^CHART $chart " classic; done
    for chart in filesystem.file_descriptor filesystem.vfs_io filesystem.vfs_io_bytes system.process_thread system.exit; do
        grep -q "^CHART $chart " current
    done
    # Those of connections have one name.
    not grep -qE '^CHART ebpf\.' <(grep -vE '^CHART ebpf\.(out|in)bound_' current)
}

@test "an interval of two seconds is kept, and said in the charts" {
    "$plugin" 2 --ticks 2 >out
    grep -qE '^CHART ebpf.exit .* line 21007 2 ' out
    read -r _ _ elapsed < <(grep '^BEGIN ebpf.exit' out | tail -1)
    ((elapsed > 1900000 && elapsed < 2100000))
}

log_as() { env "$@" "$plugin" 1 --once --no-such-option >out 2>err; }

@test "messages have the form that the agent asks for: plain, logfmt, JSON, the journal, none" {
    log_as NETDATA_VERSION=v1.37.1
    grep -qE '^[0-9-]{10} [0-9:]{8}: ebpf.plugin WARNING: unknown option --no-such-option' err
    log_as NETDATA_LOG_METHOD=stderr NETDATA_LOG_FORMAT=logfmt
    grep -qE '^time=[0-9TZ:.-]+ comm=ebpf.plugin source=collector level=warning msg="unknown option --no-such-option' err
    not grep -qvE '^time=' err
    log_as NETDATA_LOG_METHOD=stderr NETDATA_LOG_FORMAT=json
    python3 -c 'import json; assert any(json.loads(l)["msg"].startswith("unknown option") for l in open("err"))'
    log_as NETDATA_LOG_FORMAT=logfmt NETDATA_LOG_LEVEL=warning
    grep -q level=warning err
    not grep -q level=info err
    log_as NETDATA_LOG_METHOD=none
    [[ ! -s err ]]
    python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("journal")
print("ready", flush=True)
while True: print(s.recv(65536).decode(), flush=True)' >fields 3>&- &
    local listener=$!
    for _ in {1..100}; do [[ ! -s fields ]] || break; sleep 0.1; done
    log_as NETDATA_LOG_METHOD=journal NETDATA_LOG_FORMAT=journal NETDATA_SYSTEMD_JOURNAL_PATH="$PWD/journal"
    kill $listener
    [[ ! -s err ]]
    grep -q '^MESSAGE=unknown option --no-such-option' fields
    grep -qx 'PRIORITY=4' fields
    grep -qx 'SYSLOG_IDENTIFIER=ebpf.plugin' fields
}

@test "no more messages than the agent allows" {
    NETDATA_ERRORS_THROTTLE_PERIOD=1200 NETDATA_ERRORS_PER_PERIOD=3 "$plugin" 1 --once --a1 --a2 --a3 --a4 --a5 >out 2>err
    [[ $(wc -l <err) == 3 ]]
}

@test "a function is registered in the words that the agent knows" {
    NETDATA_VERSION=v1.37.1 "$plugin" 1 --once >out
    grep -qE '^FUNCTION GLOBAL "ebpf-processes" 10 "[^"]+"$' out
    NETDATA_VERSION=v2.10.0 "$plugin" 1 --once >out
    grep -qE '^FUNCTION GLOBAL "ebpf-processes" 10 "[^"]+" "top" "members" 100 3$' out
}
