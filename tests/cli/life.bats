#!/usr/bin/env bats
# How the plugin ends: at once, cleanly, whoever says so.
load helpers

for_each_end() { # what ends it
    start 1
    wait_for '^END'
    "$@"
    ends_with 0
    # And again, at once.
    rm in
    start 1
    wait_for '^END'
    kill -TERM "$pid"
    exec 9>&-
    ends_with 0
}

@test "SIGTERM" { for_each_end eval 'kill -TERM $pid'; }
@test "SIGINT" { for_each_end eval 'kill -INT $pid'; }
@test "QUIT on standard input, without the end of its line" { for_each_end eval 'printf QUIT >&9'; }
@test "QUIT on a line of its own, after other lines" { for_each_end eval 'printf "FUNCTION_CANCEL x\nQUIT\n" >&9'; }
@test "the end of standard input, when it is a pipe" { for_each_end eval 'exec 9>&-'; }

@test "lines of any kind on standard input are no reason to end" {
    start 1
    wait_for '^END'
    { head -c 100000 /dev/urandom; printf '\nFUNCTION tx 10 "nonsense"\nQUITE\n'; } >&9
    local lines
    lines=$(wc -l <out)
    until (($(wc -l <out) > lines)); do
        kill -0 "$pid"
        sleep 0.1
    done
    kill -TERM "$pid"
    ends_with 0
}

@test "what a caller sends along with a function is no command" {
    export NETDATA_VERSION=2.5.0
    start 1
    wait_for '^END'
    printf '%s\n' 'FUNCTION_PAYLOAD t1 10 "nonsense" 0xff me text/plain' 'FUNCTION forged 10 "nonsense"' QUIT \
        FUNCTION_PAYLOAD_END 'FUNCTION t2 10 "nonsense"' >&9
    wait_for '^FUNCTION_RESULT_BEGIN t2 404'
    grep -q '^FUNCTION_RESULT_BEGIN t1 404' out
    not grep -q forged out
    echo QUIT >&9
    ends_with 0
}

@test "Ctrl-C ends --check too, and its folder goes" {
    local folder=
    "$plugin" --check >out 2>err 3>&- &
    pid=$!
    until [[ -n $folder ]]; do
        kill -0 "$pid"
        sleep 0.05
        folder=$(ps -o args= --ppid "$pid" | sed -n "s|/check-$pid .*||p") # the workload is started from there
    done
    [[ -d $folder ]]
    kill -INT "$pid"
    ends_with 1
    grep -q 'interrupted' err
    [[ ! -e $folder ]]
}

@test "standard input that is no pipe says nothing" {
    "$plugin" 1 --ticks 2 </dev/null >out
    grep -q '^END' out
}

@test "standard input that is closed says nothing, also when the kernel side asks for an early fold" {
    printf '[global]\npid table size = 64\n' >user/ebpf.conf
    "$plugin" 1 <&- >out 2>err &
    pid=$!
    wait_for '^END'
    for _ in {1..100}; do /bin/true; done
    sleep 0.2
    kill -TERM "$pid"
    ends_with 0
}

@test "nobody reads any more: EPIPE, as under an agent that ignores SIGPIPE" {
    mkfifo pipe
    (trap '' PIPE; exec "$plugin" 1 <&- >pipe 2>err) &
    pid=$!
    head -5 pipe >/dev/null
    sleep 1.2 # it learns of it when it writes next
    ends_with 0
}

@test "a reader that has stopped reading does not keep it from ending" {
    mkfifo pipe
    exec 8<>pipe
    python3 -c 'import fcntl; fcntl.fcntl(8, 1031, 4096)' # F_SETPIPE_SZ: the smallest there is
    "$plugin" 1 <&- >pipe 2>err 3>&- 8>&- &
    pid=$!
    # Full, with more to come, for what the plugin prints at its start is longer.
    python3 -c 'import fcntl, struct, termios, time
while struct.unpack("i", fcntl.ioctl(8, termios.FIONREAD, bytes(4)))[0] < 4096: time.sleep(0.05)'
    sleep 1.5 # and the next comes
    kill -0 "$pid"
    kill -TERM "$pid"
    ends_with 0
    exec 8<&-
}

@test "no process of ours is left behind" {
    cp "$plugin" plugin # other tests may run others at the same time
    plugin=$PWD/plugin
    start 1
    wait_for '^END'
    kill -TERM "$pid"
    ends_with 0
    local begin=${EPOCHREALTIME/./} left=x
    until [[ -z $left ]]; do
        left=$(find /proc/[0-9]*/exe -lname "$(readlink -f "$plugin")" 2>/dev/null || true)
    done
    soon $(((${EPOCHREALTIME/./} - begin) / 1000))
}
