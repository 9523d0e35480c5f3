#!/usr/bin/env bats
# Faults that strace injects into the plugin's own system calls: what can go on goes on, and what cannot says why in one line.
load helpers
load work

# one DIRECTORY INJECT…: a short life with those faults; what is wrong about it goes to DIRECTORY/wrong.
one() {
    local folder=$1 status=0 fault options=()
    shift
    for fault; do options+=(-e trace="${fault%%:*}" -e inject="$fault"); done
    mkdir -p "$folder"
    # A life without faults takes some two updates; one that hangs is told from one on a busy machine.
    timeout $((60 * life)) strace -f --seccomp-bpf -qq -o /dev/null "${options[@]}" "$plugin" 1 --ticks 2 </dev/null >"$folder/out" 2>"$folder/err" || status=$?
    {
        ((status == 0)) || echo "status $status"
        "$protocol_check" <"$folder/out" 2>/dev/null
        if grep -q '^SET' "$folder/out"; then
            # What is not drawn, and would be without the fault, has been said to be missing.
            local lost
            lost=$(comm -23 whole <(charts <"$folder/out"))
            [[ -z $lost ]] || grep -q 'not counted: ' "$folder/err" || echo "without a word: $lost"
        else
            [[ $(tail -1 "$folder/out") == DISABLE ]] || echo "neither values nor DISABLE"
            [[ $(grep -c ' ERROR: ' "$folder/err") == 1 ]] || echo "not one line says why"
        fi
    } >"$folder/wrong"
}
# Of the system; those of connections are there when somebody has one.
charts() { grep -oE '^CHART (ebpf|filesystem)[^ ]* ' | grep -v bound_ | sort; }
export -f one charts

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset "${!NETDATA_@}"
    mkdir user stock
    printf '[global]\n    apps = no\n    cgroups = no\n' >user/ebpf.conf
    export plugin protocol_check NETDATA_USER_CONFIG_DIR=$PWD/user NETDATA_STOCK_CONFIG_DIR=$PWD/stock
    export life=$SECONDS
    "$plugin" 1 --ticks 2 2>/dev/null | charts >whole
    life=$((SECONDS - life + 1))
    [[ -s whole ]]
}

nothing_is_wrong() {
    local folder
    for folder in run.*; do
        [[ ! -s $folder/wrong ]] || { echo "$folder:" && cat "$folder/wrong" "$folder/err"; } >&2
    done
    [[ -z $(cat run.*/wrong) ]]
}

@test "bpf(2) is refused, at each of its calls in turn" {
    strace -f -qq -e trace=bpf -o calls "$plugin" 1 --ticks 1 >/dev/null 2>&1
    local calls
    calls=$(grep -c 'bpf(' calls)
    ((calls > 50))
    local call turn errors=(EPERM ENOMEM EINVAL)
    for ((call = 1; call <= calls; call++)); do
        for turn in 0 1 2; do # each call by all errors, or by turns by one
            [[ -n ${EBPF_TEST_TURN-} ]] && (((call + EBPF_TEST_TURN) % 3 != turn)) && continue
            echo "run.${errors[turn]}.$call bpf:error=${errors[turn]}:when=$call"
        done
    done | xargs -P 12 -L 1 bash -c 'one "$@"' -
    nothing_is_wrong
}

@test "other system calls fail: of memory, files, signals, sockets, processes" {
    local fault n=0
    while read -r fault; do echo "run.$((n++)) $fault"; done <<'END' | xargs -P 8 -L 1 bash -c 'one "$@"' -
write:error=EINTR:when=1..3
write:error=EAGAIN:when=1..2
read:error=EINTR:when=60+7
epoll_wait:error=EINTR:when=1..5
epoll_create1:error=EMFILE
signalfd4:error=ENFILE
socket:error=EMFILE
openat:error=EMFILE:when=60+3
openat:error=ENFILE:when=40
fstat:error=EIO
clone:error=EAGAIN
pipe2:error=EMFILE
capset:error=EPERM
prctl:error=EINVAL
seccomp:error=EINVAL
setns:error=EPERM
sendto:error=ENOBUFS
recvmsg:error=ENOBUFS
getdents64:error=EIO
END
    nothing_is_wrong
}

@test "too few file descriptors, too little memory" {
    local limit real=$plugin
    for limit in nofile={8,16,24,32,48,64,96} as={24,32,40,48,64,96}000000 memlock=65536; do
        printf '#!/bin/sh\nexec prlimit --%s %s "$@"\n' "$limit" "$real" >"limited.$limit"
        chmod +x "limited.$limit"
        plugin=./limited.$limit one "run.$limit"
    done
    nothing_is_wrong
}

@test "stopped for a while, as when the machine sleeps: nothing is lost, and the time that went by is told" {
    printf "%s\n" "[global]" "cgroups = no" "[network viewer]" "enabled = no" >user/ebpf.conf # others come and go
    printf "%s\n" "alpha: $alpha*" "shell: bash bats*" >user/apps_groups.conf # else the shell would have its child's
    worker "${alpha}1" openat 200
    go
    await_stop "${workers[@]}"
    ticks 2
    look before.out
    kill -STOP "$pid"
    kill -CONT "${workers[@]}"
    sleep 3 # so long at least, and then the whole of it is told
    await_stop "${workers[@]}"
    kill -CONT "$pid"
    ticks 2
    look now.out
    same "opens" 200 "$(grown apps.file_open alpha)"
    awk '$1 == "BEGIN" && $2 == "ebpf.exit" && $3 >= 2500000 { long = 1 } END { exit !long }' now.out
    finish
}
