#!/usr/bin/env bats
# What the plugin may do: by its file, as root, with less, and what is left of it while it runs.
load helpers

capabilities=cap_bpf,cap_perfmon,cap_sys_admin,cap_sys_resource,cap_sys_ptrace,cap_dac_read_search=p

install_plugin() { # [MODE [CAPABILITIES]]
    chmod 755 . user stock "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$BATS_FILE_TMPDIR"
    cp "$plugin" plugin
    chmod "${1-755}" plugin
    [[ -z ${2-} ]] || setcap "$2" plugin
}
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# What each thread of the plugin may do, by name.
left() {
    local status
    for status in /proc/"$pid"/task/*/status; do
        [[ $(awk '/^NoNewPrivs/ { print $2 }' "$status") == 1 ]]
        [[ $(awk '/^CapPrm/ { print $2 }' "$status") == $(awk '/^CapEff/ { print $2 }' "$status") ]]
        [[ $(awk '/^Cap(Inh|Amb)/ { print $2 }' "$status" | sort -u) == 0000000000000000 ]]
        capsh --decode="$(awk '/^CapEff/ { print $2 }' "$status")" | sed 's/.*=//'
    done | sort -u
}

for_user() { # COMMAND…: runs the copy with those in front, waits for values
    : >out # what an earlier one has printed is not waited for
    mkfifo in
    "$@" ./plugin 1 ${arguments-} <in >out 2>err 3>&- &
    pid=$!
    exec 9>in
    wait_for '^END'
}

@test "as any user, by the file's capabilities: counts, and keeps what it needs" {
    install_plugin 755 $capabilities
    for_user "${as_nobody[@]}"
    [[ $(left) == cap_dac_read_search,cap_sys_ptrace,cap_sys_admin,cap_bpf ]]
    # It goes on with that, past its slow questions to the kernel.
    for _ in {1..150}; do (($(grep -c '^BEGIN ebpf.exit' out) < 12)) || break; sleep 0.1; done
    (($(grep -c '^BEGIN ebpf.exit' out) >= 12))
    grep -q '^CHART apps.file_open ' out
    not grep -q ERROR err
}

@test "as root: keeps the same" {
    install_plugin
    for_user env
    [[ $(left) == cap_dac_read_search,cap_sys_ptrace,cap_sys_admin,cap_bpf ]]
}

@test "without sockets it enters no network namespace; with the system's counts alone it reads no process" {
    install_plugin 755 $capabilities
    arguments="--process --filedescriptor" for_user "${as_nobody[@]}"
    [[ $(left) == cap_dac_read_search,cap_sys_ptrace,cap_bpf ]]
    kill -TERM "$pid"
    ends_with 0
    rm in
    arguments="--process --global" for_user "${as_nobody[@]}"
    [[ $(left) == cap_bpf ]]
}

@test "rules that are read again are read with the user's own rights" {
    install_plugin 755 $capabilities
    printf '%s\n' 'secret: of root' >secret
    chmod 600 secret
    ln -s "$PWD/secret" user/apps_groups.conf
    for_user "${as_nobody[@]}"
    kill -HUP "$pid"
    for _ in {1..100}; do grep -q 'read again' err && break; sleep 0.05; done
    grep -q 'WARNING: .*user/apps_groups.conf: Permission denied' err
    not grep -q 'of root' err out
}

@test "bounded to fewer it still starts, and says what it lacks" {
    install_plugin 755 $capabilities
    run -0 "${as_nobody[@]}" --bounding-set=-bpf,-perfmon,-sys_admin ./plugin 1 --once
    [[ $output == *"lets this user load no eBPF program"*"It lacks cap_bpf (to load eBPF programs), cap_perfmon"* ]]
    [[ ${lines[-1]} == DISABLE ]]
    run -0 "${as_nobody[@]}" --bounding-set=-sys_ptrace,-dac_read_search ./plugin 1 --once
    [[ $output == *"WARNING: lacks cap_sys_ptrace"*"cap_dac_read_search"* && $output == *$'\nEND'* ]]
    not grep -q DISABLE <<<"$output"
}

@test "what its user has made up is not read with the rights of the file" {
    install_plugin 755 $capabilities
    mkdir -p evil/proc/4242 evil/terminfo/x
    echo secret >secret
    chmod 600 secret
    ln -s "$PWD/secret" evil/proc/4242/cmdline
    echo "4242 (x) S 1 0" >evil/proc/4242/stat
    mkfifo evil/terminfo/x/xterm
    chown -R 65534 evil
    NETDATA_VERSION=1.37.1 NETDATA_HOST_PREFIX=$PWD/evil for_user "${as_nobody[@]}"
    grep -q "WARNING: NETDATA_HOST_PREFIX names $PWD/evil, which is not there or can be changed by others than root" err
    echo 'FUNCTION t 10 "ebpf-processes"' >&9
    wait_for '^FUNCTION_RESULT_END'
    not grep -qE 'secret|4242,"x"' out
    kill -TERM "$pid"
    ends_with 0
    # And where a program looks for its terminal.
    TERM=xterm TERMINFO=$PWD/evil/terminfo timeout 20 "${as_nobody[@]}" script -qec "./plugin --watch --ticks 1" /dev/null </dev/null >screen
    grep -q 'What programs do' screen
}

@test "setuid-root is refused" {
    install_plugin 4755
    run -0 "${as_nobody[@]}" ./plugin 1
    [[ $output == *"ERROR: installed setuid-root"*"chmod u-s"*"setcap cap_bpf"* && ${lines[-1]} == DISABLE ]]
}

@test "the packages give the capabilities that the plugin asks for" {
    local root=$BATS_TEST_DIRNAME/../..
    grep -qF "\"$capabilities\";" "$root/plugin/guard/privileges.cpp"
    grep -qF "set(FILE_CAPABILITIES $capabilities)" "$root/cmake/package.cmake"
    local name
    for name in ${capabilities//[,=]/ }; do
        [[ $name == p ]] || grep -q "^CapabilityBoundingSet=.*\b${name^^}\b" "$root/packaging/netdata.service.d.conf"
    done
}

@test "the manual page has every option that --help has, in its words" {
    MANWIDTH=1000 man -l --no-hyphenation "$BATS_TEST_DIRNAME/../../build/release/ebpf.plugin.1" | col -bx | tr -s ' \n' ' ' >page
    local names text n=0
    while IFS=$'\t' read -r names text; do
        grep -qF -- " ${names//,/, } $text" page || { echo "not in the page: $names $text" >&2; false; }
        n=$((n + 1))
    done < <("$plugin" --help | sed -nE 's/^  ([^ ]+( [^ ]+)*)  +([^ ].*)/\1\t\3/p')
    ((n >= 15))
}

@test "type information that others than root can change is not read" {
    cp /sys/kernel/btf/vmlinux types
    printf '[global]\nbtf path = %s\n' "$PWD/types" >user/ebpf.conf
    "$plugin" --plan
    for change in "chmod 664" "chmod 646" "chown 65534"; do
        chmod 644 types
        chown 0 types
        $change types
        run "$plugin" --plan
        [[ $status == 1 && $output == *"types, which is not a file that root alone can change: refused"* ]]
    done
    rm types
    mkfifo types
    run timeout 5 "$plugin" --plan
    [[ $status == 1 && $output == *"root alone can change"* ]]
}
