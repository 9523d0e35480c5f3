# What the command line tests share.
bats_require_minimum_version 1.5.0
plugin=${EBPF_PLUGIN:-$BATS_TEST_DIRNAME/../../build/release/ebpf.plugin}
protocol_check=$BATS_TEST_DIRNAME/../../build/release/tests/protocol-check

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    # No configuration but what the test writes, and no agent.
    unset "${!NETDATA_@}"
    mkdir user stock
    export NETDATA_USER_CONFIG_DIR=$PWD/user NETDATA_STOCK_CONFIG_DIR=$PWD/stock
    : >user/ebpf.conf
}

# Whatever a test has kept of what the plugin printed is held against the protocol; it may have killed the plugin.
speaks_the_protocol() {
    local file
    for file in *; do
        [[ -f $file ]] && head -1 "$file" | grep -aq '^CHART .* ebpf\.plugin ' || continue
        "$protocol_check" --cut <"$file" >violations 2>summary || { sed "s|^|$file:|" violations >&2; return 1; }
    done
}

# A bare `! command` does not fail a test.
not() { ! "$@"; }

# start ARGUMENTS…: runs the plugin in the background with its input and output on pipes, as the agent does; its lines
# go to the file out, its messages to err; fd 9 is its input.
start() {
    mkfifo in
    : >out # what an earlier one has printed is not waited for
    "$plugin" "$@" <in >out 2>err &
    pid=$!
    exec 9>in
}

wait_for() { # PATTERN: until the plugin has printed such a line
    for _ in {1..1200}; do
        ! grep -qE "$1" out || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    echo "no line like $1 came" >&2
    cat out err >&2
    return 1
}

# How many ms the plugin takes now from its start to its first update. What is to be done soon is held against it on a
# machine that is busy, or emulated.
start_takes() {
    local begin=${EPOCHREALTIME/./}
    read -r _ < <(exec "$plugin" 1 --once 2>/dev/null)
    echo $(((${EPOCHREALTIME/./} - begin) / 1000))
}

# soon MS: within a second, or else within six times what a start takes: on a quiet machine that is less than a second.
soon() {
    local start
    (($1 >= 1000)) || return 0
    for _ in 1 2 3; do # others come and go
        start=$(start_takes)
        echo "took $1 ms; a start takes $start ms" >&2
        (($1 >= 6 * start)) || return 0
    done
    return 1
}

# The plugin ends with that status, soon.
ends_with() {
    local begin=${EPOCHREALTIME/./} status=0
    for _ in {1..3000}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.02
    done
    local took=$(((${EPOCHREALTIME/./} - begin) / 1000))
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || status=$?
    pid= # from here on it may be somebody else's
    echo "status $status after $took ms" >&2
    cat err >&2
    [[ $status == "$1" ]] && soon $took
}

teardown() {
    if [[ -n ${pid-} ]] && kill -0 "$pid" 2>/dev/null; then
        kill -KILL "$pid"
    fi
    speaks_the_protocol
}
