#!/usr/bin/env bats
# What /proc hides, and names of every kind: whatever it is, it is counted, and the agent can read it.
load helpers
load work

# The plugin is started by this command, with what follows as its arguments.
wrapped() { # COMMAND…
    chmod 755 . user
    export NETDATA_USER_CONFIG_DIR=user NETDATA_STOCK_CONFIG_DIR=stock # the folders above are root's
    cp "$plugin" plugin
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >wrapper
    chmod 755 plugin wrapper
    plugin=./wrapper
}
rights=-all,+bpf,+perfmon
[[ $(uname -r) != 5.10.* ]] || rights+=,+sys_resource
unprivileged="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=$rights --ambient-caps=$rights --bounding-set=$rights ./plugin"
with_proc() { # MOUNT-OPTIONS COMMAND
    echo "unshare --mount sh -c 'mount -t proc -o $1 proc /proc && exec $2 \"\$@\"' -"
}

# Of what runs before the plugin starts and of what starts later, by name and by command line. KNOWN: the group of what ran
# before and is known by its command line alone.
counts_all() { # KNOWN
    local known=$1
    # The shells have their own group, or those at the start would have their children's.
    printf '%s\n' "alpha: $alpha*" "beta: */${beta}1.dir* */${beta}2.dir*" "shell: bash bats*" >user/apps_groups.conf
    worker "${alpha}1" openat 200
    worker "${beta}1" openat 100
    go
    worker "${alpha}2" openat 50
    worker "${beta}2" openat 30
    worker short clone_process 40
    work
    finish
    local of_beta=30
    [[ $known == other ]] || of_beta=130
    same "alpha's opens" 250 "$(grown apps.file_open alpha)"
    same "beta's opens" $of_beta "$(grown apps.file_open beta)"
    (($(grown apps.process_create shell) >= 40 && $(grown apps.task_exit shell) >= 40)) # short: its parent's
    [[ $known != other ]] || (($(grown apps.file_open other) >= 100))
    local chart
    for chart in file_open:ebpf.file_descriptor:do_sys_open vfs_read_call:ebpf.io:vfs_read task_exit:ebpf.exit:do_exit; do
        IFS=: read -r apps system dimension <<<"$chart"
        same "$apps of all applications" "$(value "$system" "$dimension")" "$(sum "apps.$apps")"
    done
}

@test "hidepid=invisible does not keep root from knowing" {
    wrapped "$(with_proc hidepid=2 ./plugin)"
    counts_all beta
}

@test "hidepid=invisible and no rights but those to count: nothing is lost" {
    wrapped "$(with_proc hidepid=2 "$unprivileged")"
    counts_all other
}

# bats test_tags=host
@test "hidepid=noaccess and no rights but those to count: nothing is lost" {
    wrapped "$(with_proc hidepid=1 "$unprivileged")"
    counts_all other
}

@test "in a pid namespace, applications and control groups on: nothing is lost, and it says what it cannot know" {
    wrapped unshare --pid --mount --fork --kill-child --mount-proc ./plugin
    counts_all other
    grep -q 'WARNING: this is a pid namespace.*NETDATA_HOST_PREFIX' err
}

@test "in a pid namespace with the host's /proc at NETDATA_HOST_PREFIX everything is known" {
    mkdir -p host/proc
    wrapped "unshare --pid --mount --fork --kill-child sh -c 'mount --rbind /proc host/proc && mount -t proc proc /proc && exec ./plugin \"\$@\"' -"
    export NETDATA_HOST_PREFIX=$PWD/host
    counts_all beta
    not grep -q 'pid namespace' err
}

@test "zombies: their ends count when they end, their release when it comes" {
    printf '%s\n' "alpha: $alpha*" "beta: $beta" "shell: bash bats*" >user/apps_groups.conf
    ln -s "$workload" "${alpha}1"
    ln -s "$workload" "${alpha}2"
    cp /bin/sleep "$beta"
    # Parents that never wait.
    perl -e 'fork or exec "./$ARGV[0]", "--exit"; exec "./$ARGV[1]", "1000"' "${alpha}1" "$beta" 3>&- &
    workers+=($!)
    go
    mkfifo begin
    perl -e 'open my $f, "<", "begin"; <$f>; for (1..20) { fork or exec "./$ARGV[0]", "--exit" } exec "./$ARGV[1]", "1000"' \
        "${alpha}2" "$beta" 3>&- 9>&- &
    workers+=($!)
    ticks 2
    look before.out
    echo go >begin
    ticks 2
    look now.out
    same "alpha's exits" 20 "$(grown apps.task_exit alpha)"
    same "alpha's releases" 0 "$(grown apps.task_close alpha)"
    kill -KILL "${workers[@]}"
    wait "${workers[@]}" || true
    ticks 3
    look now.out
    same_releases "alpha's releases" 20 "$(grown apps.task_close alpha)"
    same_releases "beta's releases" 2 "$(grown apps.task_close beta)"
}

# bats test_tags=host
@test "names of every kind: each is counted for its application, and the agent can read it" {
    local LC_ALL=C first second i
    for ((i = 1; i < 128; i++)); do ((i == 47)) || printf -v first '%s\\x%02x' "$first" $i; done
    for ((i = 128; i < 256; i++)); do printf -v second '%s\\x%02x' "$second" $i; done
    printf -v first '%b_m1' "$first"
    printf -v second '%b_m2' "$second"
    cat >user/apps_groups.conf <<'END'
'quo"te': 'a"b'
"line": a_new*
"e=q and blanks": 'e=q z'
back\: "it's b\"
grüße: grüße
low: *_m1.dir*
high: *_m2.dir*
kernel: kthreadd
END
    export NETDATA_VERSION=v1.37.1
    new_cgroup "ebpf \"te'st\\=ü $$"
    go
    local names=('a"b' $'a_new\nline' 'e=q z' "it's b\\" grüße "$first" "$second") apps=('quo_te' line 'e=q and blanks' 'back_' grüße low high)
    for i in "${!names[@]}"; do worker "${names[i]}" openat $((10 + i)); done
    echo "${workers[0]}" >"$cgroup/cgroup.procs"
    mkfifo never
    bash -c 'exec -a "" cat' <>never 3>&- 9>&- & # a command line without a letter
    local silent=$!
    work
    printf 'FUNCTION t 10 "ebpf-processes"\n' >&9
    wait_for '^FUNCTION_RESULT_END'
    ticks 1
    look now.out
    grep -q '^CLABEL cgroup_name .ebpf _te_st_=ü' now.out
    # Those without a command line are shown by their name.
    grep -q '\[2,"kthreadd","kthreadd","root","kernel",' now.out
    grep -q "\\[$silent,\"cat\",\"cat\",\"root\",\"other\"," now.out
    for i in "${!names[@]}"; do
        same "opens of ${apps[i]}" $((10 + i)) "$(grown apps.file_open "${apps[i]}")"
    done
    same "opens of all applications" "$(value ebpf.file_descriptor do_sys_open)" "$(sum apps.file_open)"
    kill "$silent"
    finish
}
