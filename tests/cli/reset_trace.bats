#!/usr/bin/env bats
# tools/reset_netdata_trace.sh where it must not or cannot do anything; tests/guest/trace_events.bats has the rest.
bats_require_minimum_version 1.5.0
script=$(realpath "$BATS_TEST_DIRNAME/../../tools/reset_netdata_trace.sh")

@test "without rights, and in a container, it says what to do" {
    cp "$script" "$BATS_TEST_TMPDIR/reset" # where another user can read it
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"/{,..}
    run -1 setpriv --reuid 65534 --clear-groups sh "$BATS_TEST_TMPDIR/reset"
    [[ $output == *"run it as root"* ]]
    run -1 unshare -pf --mount-proc sh "$script"
    [[ $output == *"run it on the host"* ]]
}

@test "it says what to mount, and nothing when there is nothing to remove" {
    run -1 unshare -m sh -c 'umount -a -t tracefs,debugfs; sh "$1"' - "$script"
    [[ $output == *"mount -t tracefs"* ]]
    run -0 unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing; sh "$1"' - "$script"
    [[ -z $output ]]
}
