# What the tests with the real agent share.
bats_require_minimum_version 1.5.0
source "${BASH_SOURCE[0]%/*}/private_agent.bash"
build=$BATS_TEST_DIRNAME/../../build/release
plugin=${EBPF_PLUGIN:-$build/ebpf.plugin}
protocol_check=$build/tests/protocol-check

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset "${!NETDATA_@}"
    agents=() # their process ids
    started=() # other processes that a test leaves to teardown
    cgroups=()
    forgiven='^$' # what error.log may say, beside nothing
}

teardown() {
    local pid folder
    for pid in "${agents[@]}" "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for pid in "${agents[@]}" "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    ((${#cgroups[@]} == 0)) || rmdir "${cgroups[@]}"
    for _ in {1..40}; do
        [[ -n $(ours) ]] || break
        sleep 0.1
    done
    [[ -z $(ours) ]] || { echo "left behind: $(ours)" >&2; kill -KILL $(ours); return 1; }
    for folder in */; do
        [[ -f $folder/log/error.log ]] || continue
        # The agent names no line that it does not understand: these words are all that there is.
        if grep -E 'ERROR : PLUGINSD|disconnected after|now disabled|Disabling|got a .* but|ebpf.plugin ERROR' "$folder/log/error.log" | grep -vE "$forgiven"; then
            echo "in the error.log of $folder" >&2
            return 1
        fi
        [[ ! -s $folder/printed ]] || "$protocol_check" --cut <"$folder/printed"
    done
}

not() { ! "$@"; }

# The plugins of this test's agents.
ours() {
    local exe
    for exe in $(find /proc/[0-9]*/exe -lname "$BATS_TEST_TMPDIR/*/plugins/real/*" 2>/dev/null); do
        exe=${exe%/exe}
        echo "${exe#/proc/}"
    done
}

# agent NAME [LINES OF netdata.conf]: lays out an agent of its own in the folder NAME.
agent() {
    lay_out "$@"
    local at=$PWD/$1
    printf '%s\n' "alpha: alpha*" "beta: beta*" >"$at/etc/apps_groups.conf"
    echo "[global]" >"$at/etc/ebpf.conf"
}

# A container and a service, with a process in each.
lay_out_cgroups() {
    local root=/sys/fs/cgroup cgroup
    [[ -f $root/cgroup.procs ]] || root=$root/memory # version 1
    box=$root/ebpf_box unit=$root/system.slice/ebpf_unit.service
    for cgroup in "$box" "${unit%/*}" "$unit"; do
        [[ ! -d $cgroup ]] || continue # a system has its slice
        mkdir "$cgroup"
        cgroups=("$cgroup" "${cgroups[@]}")
    done
    for cgroup in "$box" "$unit"; do
        sleep 600 3>&- &
        started+=($!)
        echo $! >"$cgroup/cgroup.procs"
    done
}

# What the plugin of that agent prints is kept in the file printed: its pid and its signals stay its own.
listen_in() { # NAME
    rm "$1/plugins/ebpf.plugin"
    printf '#!/bin/bash\nexec "%s" "$@" > >(exec tee -a "%s")\n' "$PWD/$1/plugins/real/ebpf.plugin" "$PWD/$1/printed" >"$1/plugins/ebpf.plugin"
    chmod 755 "$1/plugins/ebpf.plugin"
}

# Values of a chart, newest first, a line each: the time, then its dimensions.
values() { # NAME CHART [SECONDS]
    api "$1" "api/v1/data?chart=$2&after=-${3:-600}&format=csv&options=seconds" | tr -d '\r' | tail -n +2
}
collects() { # NAME CHART [LINES]: there are values
    (($(values "$1" "$2" | grep -cE '^[0-9]+,-?[0-9.]+') >= ${3:-1}))
}
has_chart() { api "$1" api/v1/charts | jq -e --arg id "$2" '.charts | has($id)'; }
lacks_chart() { not has_chart "$@"; }

# The plugin's process under the only agent.
the_plugin() {
    await "one plugin runs" eval '[[ $(ours | wc -l) == 1 ]]'
    ours
}
gone_within_2s() { # PID
    for _ in {1..20}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

# does APPLICATION OPERATION COUNT [CGROUP]: makes so many calls under that name, in that control group, and prints "CALLS
# FAILED BYTES" that were made. It waits a while before and after: first and last values of an agent are those of parts of a
# second.
does() {
    ln -sf "$build/ebpf-workload" "$1"
    mkdir -p "$1.dir"
    (
        [[ -z ${4-} ]] || echo "$BASHPID" >"$4/cgroup.procs"
        exec "./$1" "$2" "$3" "$PWD/$1.dir"
    ) >"$1.made" 2>/dev/null 3>&- &
    local worker=$!
    started+=("$worker")
    for _ in 1 2; do
        await "$1 stops" eval "[[ \$(sed 's/.*) //' /proc/$worker/stat) == T* ]]"
        sleep 3
        kill -CONT "$worker"
    done
    wait "$worker" || true
    awk '$1 == "made" { print $2, $3, $4 }' "$1.made"
}
