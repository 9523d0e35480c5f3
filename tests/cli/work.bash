# What the tests share that compare charts with work whose amount is known: real programs say themselves what they have
# done, between two stops.
workload=${plugin%/*}/ebpf-workload
# Names of processes that no other test has: whoever runs at the same time is seen by every plugin.
alpha=alp$$_ beta=bet$$_ gamma=gam$$_

# The last value of a dimension that the plugin has printed; 0 if there is none.
value() { # CHART DIMENSION [FILE]
    awk -v chart="$1" -v dimension="'$2'" '
        $1 == "BEGIN" { open = $2 }
        $1 == "SET" && open == chart {
            name = substr($0, 5, length($0) - 7 - length($NF)) # without `SET ` and ` = value`
            if (name == dimension || "\047" name "\047" == dimension) last = $NF
        }
        END { print last + 0 }' "${3-now.out}"
}

# Waits for so many whole updates more.
ticks() {
    local wanted
    wanted=$(($(grep -c '^BEGIN ebpf.exit' out) + $1 + 1))
    for _ in {1..1200}; do
        (($(grep -c '^BEGIN ebpf.exit' out) < wanted)) || return 0
        sleep 0.05
    done
    echo "no updates come" >&2
    return 1
}
# As it is now, up to the end of the last whole update.
look() {
    awk '/^BEGIN ebpf.deleted_objects/ { printf "%s", update; update = "" } { update = update $0 "\n" }' out >"$1"
}

is_stopped() {
    local stat
    stat=$(<"/proc/$1/stat") && [[ ${stat##*) } == T* ]]
}
await_stop() { # PID…
    local pid
    for pid; do
        for _ in {1..1200}; do
            ! is_stopped "$pid" || continue 2
            sleep 0.05
        done
        echo "process $pid does not stop" >&2
        return 1
    done
}

# worker NAME OPERATION COUNT: started under that name, it waits at its first stop; what it has made goes to NAME.made.
workers=()
worker() {
    mkdir "$1.dir"
    [[ -e $1 ]] || ln -s "$workload" "$1"
    "./$1" "$2" "$3" "$PWD/$1.dir" >"$1.made" 2>>workers.err 3>&- 9>&- &
    workers+=($!)
}

# Lets the workers do their work, from the first stop to the second, while the plugin looks on.
declare -A before
work() {
    await_stop "${workers[@]}"
    ticks 2 # of a newcomer the first says where it counts from
    look before.out
    kill -CONT "${workers[@]}"
    sleep 0.3
    await_stop "${workers[@]}"
    ticks 2
    look now.out
}
finish() {
    kill -CONT "${workers[@]}"
    wait "${workers[@]}" || true
    workers=() # from here on their ids may be somebody else's
}
grown() { # CHART DIMENSION: since the work began
    echo $(($(value "$1" "$2") - $(value "$1" "$2" before.out)))
}
made() { # NAME FIELD: 1 calls, 2 failed, 3 bytes
    awk -v field="$2" '$1 == "made" { print $(field + 1) }' "./$1.made"
}
# Newer kernels may skip a program while it is preempted, and say so: shown + reported missed = made.
same() { # WHAT WANTED GOT
    [[ $2 == "$3" ]] && return
    if (($3 < $2)); then
        ticks 11 # the plugin asks the kernel at every tenth
        look late.out
        (($3 + $(value netdata.ebpf_events missed late.out) < $2)) || return 0
    fi
    echo "$1: $2 made, $3 shown" >&2
    return 1
}

# Where no function can be hooked, releases are told by a tracepoint that loses a few while others attach to it.
same_releases() { # WHAT WANTED GOT
    if "$plugin" --plan | grep -q '^process_freed .*sched_process_free'; then
        (($3 <= $2 && $3 * 10 >= $2 * 8)) && return # seen: 13 of 150 while ten plugins came and went
    fi
    same "$@"
}

# In the last whole update, over all dimensions of the chart.
sum() {
    awk -v chart="$1" '$1 == "BEGIN" { open = $2; if (open == chart) { last = total; total = 0 } }
        $1 == "SET" && open == chart { total += $NF } $1 == "END" && open == chart { last = total }
        END { print last }' now.out
}

# The v2 hierarchy where there is one in use, else the memory controller's.
folders=()
new_cgroup() { # NAME
    local root=/sys/fs/cgroup
    [[ -f $root/cgroup.procs ]] || root=$root/memory
    cgroup=$root/$1
    mkdir "$cgroup" || skip "no cgroup can be made here"
    folders+=("$cgroup")
}

teardown() {
    local pid
    for pid in "${workers[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    [[ -z ${pid_of_plugin-} ]] || kill -KILL "$pid_of_plugin" 2>/dev/null || true
    for folder in "${folders[@]-}"; do [[ ! -d $folder ]] || rmdir "$folder"; done
    speaks_the_protocol
}

go() { # ARGUMENTS…
    start 1 --return "$@"
    pid_of_plugin=$pid
    wait_for '^END'
}
