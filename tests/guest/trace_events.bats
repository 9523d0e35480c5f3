#!/usr/bin/env bats
# Probes in tracefs: the plugin leaves none, and tools/reset_netdata_trace.sh removes those that it may and no other.
bats_require_minimum_version 1.5.0
plugin=$EBPF_PLUGIN
script=$BATS_TEST_DIRNAME/../../tools/reset_netdata_trace.sh
events=/sys/kernel/tracing/kprobe_events
nobody=4194303 # the highest pid there can be; this guest does not come that far

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

teardown() {
    [[ -z ${pid-} ]] || kill -KILL "$pid"
    mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
    for enabled in /sys/kernel/tracing/events/*/*netdata*/enable; do [[ ! -e $enabled ]] || echo 0 >"$enabled"; done
    : >$events
}

start() { # ARGUMENTS…: the plugin, as process $pid
    mkfifo in
    "$plugin" 1 "$@" <in >out 2>err &
    pid=$!
    exec 9>in
    for _ in {1..300}; do grep -q ^BEGIN out && return; sleep 0.1; done
    cat err
    return 1
}

foreign='p:kprobes/p_netdata_vfs_write_4194303 vfs_read
p:kprobes/my_netdata_probe_4194303 vfs_read
p:kprobes/p_netdata_vfs_read_4194303x vfs_read
p:mine/p_netdata_vfs_read_4194303 vfs_read
p:kprobes/p_netdata_vfs_read_4194302 vfs_read ip=%ip'

@test "killed, the plugin leaves no event in tracefs" {
    for attach in trampoline probe; do
        start --attach $attach --return
        [[ -z $(cat $events) ]]
        kill -KILL "$pid"
        wait "$pid" || pid=
        exec 9>&-
        rm in
        [[ -z $(cat $events) ]]
    done
}

@test "nor does it make one where kprobes are not to be had by descriptor" {
    run -0 unshare -m sh -c 'mount -t tmpfs none /sys/bus/event_source/devices; "$1" --plan --attach probe' - "$plugin"
    [[ $output == *"No kprobe: kprobes: "*"/sys/bus/event_source/devices/kprobe"* && ! $output =~ ' kprobe  ' ]]
    unshare -m sh -c 'mount -t tmpfs none /sys/bus/event_source/devices; "$1" 1 --once --attach probe; cat "$2"' - \
        "$plugin" $events >out 2>err
    [[ $(tail -n 1 out) != *kprobes* ]]
}

@test "events of the dead are removed, those of others kept, also the second time" {
    echo "$foreign" >>$events
    echo "p:kprobes/p_netdata_vfs_read_$nobody vfs_read" >>$events
    echo "r:kprobes/r_netdata_vfs_read_$nobody vfs_read" >>$events
    echo "r7:kprobes/r_netdata_do_exit_$nobody do_exit" >>$events
    # A process that has the number now, but is none of ours.
    echo "p:kprobes/p_netdata_vfs_read_$BASHPID vfs_read" >>$events
    run -0 "$script"
    [[ $output == *"4 probes of ebpf.plugin removed, 0 kept"* ]]
    diff <(sort $events) <(sort <<<"$foreign")
    run -0 "$script"
    [[ -z $output ]]
    diff <(sort $events) <(sort <<<"$foreign")
}

@test "those of a live instance and those in use are kept" {
    start
    echo "p:kprobes/p_netdata_vfs_read_$pid vfs_read" >>$events
    echo "p:kprobes/p_netdata_vfs_write_$nobody vfs_write" >>$events
    echo "p:kprobes/p_netdata_do_exit_$nobody do_exit" >>$events
    echo 1 >/sys/kernel/tracing/events/kprobes/p_netdata_vfs_write_$nobody/enable
    run -0 "$script"
    [[ $output == *"1 probes of ebpf.plugin removed, 2 kept because they are in use"* ]]
    [[ $(wc -l <$events) == 2 ]]
    grep -q "p_netdata_vfs_read_$pid" $events
    # Its end makes it a dead one's.
    exec 9>&-
    wait "$pid"
    pid=
    run -0 "$script"
    [[ $output == *"1 probes of ebpf.plugin removed, 1 kept"* && $(wc -l <$events) == 1 ]]
}

@test "four at once remove each event once, by debugfs too" {
    echo "$foreign" >>$events
    umount /sys/kernel/tracing
    events=/sys/kernel/debug/tracing/kprobe_events
    for n in {1..12}; do echo "p:kprobes/p_netdata_vfs_read_41943${n} vfs_read"; done >>$events
    for n in 1 2 3 4; do "$script" >said$n 2>&1 & done
    wait
    diff <(sort $events) <(sort <<<"$foreign")
    [[ $(sed -n 's/.*trace: \([0-9]*\) probes.* 0 kept.*/\1/p' said? | awk "{ n += \$1 } END { print n }") == 12 && $(cat said?) != *rror* ]]
}
