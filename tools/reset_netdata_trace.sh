#!/bin/sh
# Removes the kprobe events that dead instances of older generations of ebpf.plugin have left in tracefs.
#
# This generation leaves none, however it ends: the kernel takes its probes away with their descriptors. The older ones
# named theirs kprobes/p_netdata_FUNCTION_PID, at the call, and kprobes/r_netdata_FUNCTION_PID, at the return. Only
# events of that name that are set on that very function, and whose process runs no more, are removed; the kernel itself
# refuses to remove one that is in use. For any POSIX shell; may run several times at once.
#
# Status 0: nothing is left that could be removed. 1: it could not be tried, and why.

complain() {
    printf 'reset_netdata_trace: %s\n' "$1" >&2
    exit 1
}

# Name, function and process of each event of ours.
our_events() {
    LC_ALL=C sed -nE 's/^[pr][0-9]*:kprobes\/([pr]_netdata_(.+)_([0-9]+)) (.*)$/\1 \2 \3 \4/p' "$events" |
        awk '$2 == $4 && NF == 4 { print $1, $3 }'
}

still_runs() { # PID
    case $(cat "/proc/$1/comm" 2>/dev/null) in ebpf*) return 0 ;; esac
    return 1
}

main() {
    [ "$(id -u)" = 0 ] || complain "run it as root: nobody else may look into tracefs"
    [ "$(readlink /proc/self/ns/pid)" = 'pid:[4026531836]' ] ||
        complain "run it on the host: in a container it cannot be told whose process still runs"
    # debugfs mounts tracefs below itself when somebody goes there.
    place=$(awk '$3 == "tracefs" { print $2; exit } $3 == "debugfs" && !debugfs { debugfs = $2 "/tracing" }
        END { if (debugfs) print debugfs }' /proc/mounts | head -n 1)
    [ -n "$place" ] || complain "neither tracefs nor debugfs is mounted: mount -t tracefs tracefs /sys/kernel/tracing"
    events=$(printf %b "$place")/kprobe_events # spaces are \040 in /proc/mounts
    if [ ! -e "$events" ]; then
        case $(cat /sys/kernel/security/lockdown 2>/dev/null) in
        *'[confidentiality]'*) complain "the kernel's lockdown (confidentiality) closes tracefs" ;;
        esac
        exit 0 # a kernel without kprobe events
    fi
    listed=$(cat "$events" 2>&1) || complain "$listed"

    removed=0 kept=0
    for event in $(our_events | tr ' ' :); do
        name=${event%:*} pid=${event##*:}
        if still_runs "$pid"; then
            kept=$((kept + 1))
        elif (printf -- '-:kprobes/%s\n' "$name" >>"$events") 2>/dev/null; then # `>` would remove everybody's events
            removed=$((removed + 1))
        elif our_events | grep -q "^$name "; then # else another run was quicker
            kept=$((kept + 1))
        fi
    done
    [ $((removed + kept)) = 0 ] ||
        printf 'reset_netdata_trace: %s probes of ebpf.plugin removed, %s kept because they are in use\n' $removed $kept
}

main
