#!/usr/bin/env bats
# What happens to a machine while the plugin runs: file systems go, processors go, the clock is set, memory runs out. What
# programs have done in between is counted to the last call.
load ../cli/helpers
load ../cli/work

n=0
# counted_over COMMAND…: what a program opens before, during and after the command is all there.
counted_over() {
    printf '%s\n' "[global]" "cgroups = no" >user/ebpf.conf
    printf '%s\n' "alpha: $alpha*" "shell: bash bats*" >user/apps_groups.conf
    go ${ways-}
    local at
    for at in 0 1 2; do worker "$alpha$((++n))" openat 10000; done
    await_stop "${workers[@]}"
    ticks 2
    look before.out
    kill -CONT "${workers[0]}"
    "$@" &
    local fault=$!
    sleep 0.3
    kill -CONT "${workers[1]}"
    wait $fault
    kill -CONT "${workers[2]}"
    await_stop "${workers[@]}"
    ticks 2
    look now.out
    same opens 30000 "$(grown apps.file_open alpha)"
    finish
    not grep -q ERROR err
}
ends_well() {
    kill -TERM "$pid"
    for _ in {1..300}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    wait "$pid"
    pid= pid_of_plugin=
    exec 9>&-
    rm in
}

unmount() { umount -l /sys/kernel/tracing /sys/kernel/debug; }
mount_again() {
    mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
    mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
}

@test "tracefs and debugfs are unmounted while it runs; then it starts without them" {
    local ways
    for ways in "--attach auto" "--attach probe"; do
        counted_over unmount
        ends_well
        counted_over true
        ends_well
        mount_again
    done
    mount_again
}

@test "modules come and go" {
    come_and_go() {
        for _ in 1 2 3; do modprobe dummy && modprobe tcp_bbr && rmmod dummy && rmmod tcp_bbr; done
    }
    counted_over come_and_go
}

@test "a module has a function of a name that we hook: what is counted is exact, what is not is said" {
    local module
    module=$(modinfo -n dummy)
    case $module in
        *.xz) xz -dc "$module" ;;
        *.zst) zstd -dcq "$module" ;;
        *) cat "$module" ;;
    esac >dummy.ko
    objcopy --strip-debug --add-symbol do_sys_openat2=.text:0,function,local dummy.ko twin.ko
    insmod twin.ko
    (($(grep -c ' do_sys_openat2\b' /proc/kallsyms) == 2))
    counted_over true
    ends_well
    ways="--attach probe"
    if "$plugin" --plan --attach probe | grep -q '^file_open .*do_sys_openat2'; then
        go --attach probe
        grep -q 'file_open.* not counted: .*several functions have this name' err ||
            { ends_well && counted_over true; }
    fi
    rmmod dummy
}

@test "a processor goes offline and comes back" {
    [[ -e /sys/devices/system/cpu/cpu1/online ]] # this guest is to have two
    off_and_on() {
        for _ in 1 2 3; do
            echo 0 >/sys/devices/system/cpu/cpu1/online
            sleep 0.2
            echo 1 >/sys/devices/system/cpu/cpu1/online
            sleep 0.2
        done
    }
    counted_over off_and_on
}

@test "started while a processor is offline that comes later" {
    echo 0 >/sys/devices/system/cpu/cpu1/online
    on() { echo 1 >/sys/devices/system/cpu/cpu1/online; }
    counted_over on
}

@test "the clock is set back by an hour and forward by a day: updates go on, each second" {
    step() { # SECONDS
        date -s "@$(date +%s.%N | awk -v by="$1" '{ printf "%.3f", $1 + by }')" >/dev/null
        local until=$(($(awk '{ print int($1) }' /proc/uptime) + 12)) begin
        begin=$(grep -c '^BEGIN ebpf.exit' out)
        while (($(awk '{ print int($1) }' /proc/uptime) < until)); do sleep 0.2; done
        local came=$(($(grep -c '^BEGIN ebpf.exit' out) - begin))
        echo "$came updates in 12 s after the clock was set by $1 s" >&2
        ((came >= 9 && came <= 14))
    }
    steps() { step -3600.4 && step 86400.2; } # each time where an update is due within half a second of the last
    counted_over steps
}
