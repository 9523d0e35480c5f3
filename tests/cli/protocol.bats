#!/usr/bin/env bats
# What the agent reads: charts before their values, nothing else, in one piece, in time.
load helpers

@test "charts are defined once, before their values, which come every second" {
    "$plugin" 1 --return --ticks 3 >out
    awk '
        $1 == "CHART" { if (defined[$2]++) exit 1; chart = $2; next }
        $1 == "DIMENSION" { if (chart == "") exit 1; dimension[chart, $2] = 1; next }
        $1 == "CLABEL" || $1 == "CLABEL_COMMIT" { if (chart == "") exit 1; next }
        $1 == "BEGIN" { if (!defined[$2] || open != "") exit 1; open = $2; begins[$2]++; next }
        $1 == "SET" && NF == 4 && $3 == "=" && $4 ~ /^-?[0-9]+$/ { if (!dimension[open, $2]) exit 1; next }
        $1 == "END" && NF == 1 { if (open == "") exit 1; open = ""; next }
        { print "unexpected: " $0; exit 1 }
        END { for (c in defined) if (begins[c] != 3) { print c " has " begins[c] " updates"; exit 1 } }' out
}

@test "every CHART line has its twelve fields, quoted where there are blanks" {
    "$plugin" 1 --return --once >out
    while read -r line; do
        eval "fields=($line)"
        [[ ${#fields[@]} == 13 && ${fields[7]} =~ ^(line|stacked)$ && ${fields[11]} == ebpf.plugin ]]
    done < <(grep '^CHART' out | sed "s/ '' ebpf.plugin/ 'none' ebpf.plugin/")
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
        not grep -q CLABEL out
    done
    for version in v1.37.1 v2.10.0 1.32.0; do
        NETDATA_VERSION=$version "$plugin" 1 --once --attach syscalls >out
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

@test "the kernel time of the programs is charted while asked for" {
    printf '[global]\nrun time statistics = yes\n' >user/ebpf.conf
    "$plugin" 1 --ticks 11 >out
    awk '/^BEGIN netdata.ebpf_run_time/ { at = 1 } at && /^SET/ { if ($4 + 0 > last) moved = 1; last = $4; at = 0 } END { exit !moved }' out
}

@test "both namings are there" {
    "$plugin" 1 --once --return >classic
    printf '[global]\nchart names = current\n' >user/ebpf.conf
    "$plugin" 1 --once --return >current
    for chart in ebpf.file_descriptor ebpf.io ebpf.io_bytes ebpf.process_thread ebpf.exit; do grep -q "^CHART $chart " classic; done
    for chart in filesystem.file_descriptor filesystem.vfs_io filesystem.vfs_io_bytes system.process_thread system.exit; do
        grep -q "^CHART $chart " current
    done
    not grep -q '^CHART ebpf\.' current
}

@test "an interval of two seconds is kept, and said in the charts" {
    "$plugin" 2 --ticks 2 >out
    grep -qE '^CHART ebpf.exit .* line 21007 2 ' out
    read -r _ _ elapsed < <(grep '^BEGIN ebpf.exit' out | tail -1)
    ((elapsed > 1900000 && elapsed < 2100000))
}
