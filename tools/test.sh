#!/bin/bash
# Installs what is missing, builds and runs every test: `tools/test.sh [quick|all]`. `quick` leaves the guests out; `all` tries
# on each kernel what is else tried on some of them by turns.
# Ends with a table of what each suite took and the line "N passed, N failed"; the status says whether all passed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
extent=${1-}
kernels=(newest 5.10 6.1 6.12 6.18)
cache=${EBPF_GUEST_CACHE:-/var/cache/ebpf-plugin-guests}
turn=$((16#$(git rev-parse --short=6 HEAD 2>/dev/null || echo 0))) # the commit decides whose turn it is
at_once=2 # of guests and what waits; each guest takes a processor for itself

tools/install-packages.sh tools/packages tests/packages tests/guest/packages tests/guest/selinux.packages || exit 1
export logs=build/test-logs
rm -rf $logs
mkdir -p $logs
export AGENT=$PWD/build/agent # unpacked once, for here and for a guest

# All suites speak TAP ("1..N", "ok 1 - …"), which is what is counted at the end.
suites=()
suite() { # WHERE NAME COMMAND…: is to be run
    suites+=("$*")
    echo "not ok 0 - $2 did not come to its end" >"$logs/$2.tap"
}

run() { # NAME COMMAND…
    local name=$1 said=$logs/$1.said TIMEFORMAT='%0R %0U %0S'
    shift
    { time "$@" >"$said" 2>"$logs/$name.err"; } 2>"$logs/$name.time" || grep -q '^not ok' "$said" ||
        echo "not ok 0 - $name did not run to its end" >>"$said"
    (($(sed -n 's/^1\.\.//p' "$said") + 0 == $(grep -cE '^(not )?ok [1-9]' "$said"))) || echo "not ok 0 - $name is not whole" >>"$said"
    if grep -q '^not ok' "$said"; then
        grep -A30 '^not ok' "$said" | head -100
        tail -50 "$logs/$name.err"
    fi
    echo "$name: $(grep -c '^ok' "$said") passed, $(grep -c '^not ok' "$said") failed, $(cut -d' ' -f1 "$logs/$name.time") s"
    mv "$said" "$logs/$name.tap"
}

run_all() { # WHERE: one after the other
    local line
    for line in "${suites[@]}"; do
        [[ $line != "$1 "* ]] || eval "run ${line#* }"
    done
}

# The kinds of suites.
whole() { # COMMAND…: one test that is a whole command. `name` is run's.
    local status=ok
    "$@" >&2 || status="not ok"
    echo "$status 1 - ${name:?}"
    echo 1..1
    [[ $status == ok ]]
}

gtest() { # BINARY: its results as TAP
    "$@" --gtest_brief=0 2>&1 | tee "$logs/${name:?}.out" | awk '
        /^\[==========\] Running/ { print "1.." $3 }
        /^\[       OK \]/ { print "ok " ++n " - " $4 }
        /^\[  FAILED  \] .*\(/ { print "not ok " ++n " - " $4 }
        /Failure|error:|ERROR:/ { print "# " $0 }'
}

exact() { # the benchmarks' proofs
    build/release/tests/bench/bench --exact | tee "$logs/exact.out" |
        awk '/ pass$/ { print "ok " ++n " - " $0 } / FAIL$/ { print "not ok " ++n " - " $0 } END { print "1.." n }'
}

commandline() { bats --tap --timing "$@"; }

fuzz() { tests/fuzz/run build/asan "$@"; }

lint_shell() {
    git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run packaging/man-page packaging/post*.in tests/package/inside tests/fuzz/run tests/agent/private_agent.bash tests/guest/{run,kernels,agent,checks,selinux,table} | xargs -0 shellcheck
}
lint_format() { git ls-files -z 'plugin/*.cpp' 'plugin/*.h' 'tests/unit/*' 'tests/protocol/*' | xargs -0 clang-format --dry-run -Werror; }
build() { # PRESET [OPTIONS OF THE BUILD]
    cmake --preset "$1" && cmake --build --preset "$@"
}

is_turn() { # AT MANY: whether that kernel is among those, so many at once, whose turn it is
    [[ $extent == all ]] || ((($1 + turn) % ${#kernels[@]} < $2))
}

guest() { # KERNEL CPUS PART…
    tests/guest/run --kernel "$1" --cpus "$2" --memory 768 --timeout 1800 -- tests/guest/checks "$PWD/build/release" "${@:3}"
}

selinux_in_guest() {
    local policy=$cache/selinux
    tests/guest/selinux prepare "$policy" >&2 || return
    tests/guest/run --kernel 6.1 --memory 1536 --timeout 1800 --cmdline "security=selinux selinux=1 enforcing=0" -- \
        tests/guest/selinux check "$policy" "$PWD/build/release"
}

agent_in_guest() { # the same with trampolines; unpacked here, for the guest has no network
    source tests/agent/private_agent.bash
    unpack_agent || return
    tests/guest/run --kernel 6.12 --memory 1536 --timeout 1800 -- tests/guest/agent "$AGENT" "$PWD/build/release"
}

# `alone`: what others do at the same time would be counted too.
suite alone unit gtest build/release/tests/unit
suite alone cli-alone commandline --filter-tags alone tests/cli
suite alone exact exact
# `here` waits more than it works.
suite here cli commandline --jobs 10 --filter-tags '!alone' tests/cli
suite here agent commandline --filter-tags '!own_machine' tests/agent # whose clock they may set
suite here package commandline tests/package
[[ $extent == all ]] || export EBPF_TEST_TURN=$turn
executions=50000 # of each fuzz target; long ones by hand
[[ $extent != all ]] || executions=500000
# `beside` takes what the others leave of the processors.
suite beside lint-shell whole lint_shell
suite beside lint-rooms whole tools/lint-rooms.sh
suite beside lint-format whole lint_format
suite beside build-asan whole build asan
suite beside unit-asan gtest build/asan/tests/unit
suite beside fuzz fuzz "-runs=$executions"
suite beside lint-tidy whole tools/lint-tidy.sh build/release

if [[ $extent != quick ]]; then
    # The longest first. The programs are compiled three times, for kernels before 5.12, before 6.2 and after: on the newest and
    # one of the older two run the tests of the command line, a half of them on each. 5.10 has no preempt=full.
    suite guest guest-agent agent_in_guest
    halves=(applications connections)
    older=(5.10 6.1)
    declare -A cli=([newest]="${halves[turn % 2]}" [${older[turn / 2 % 2]}]="${halves[(turn + 1) % 2]}")
    [[ $extent != all ]] || cli=([newest]="${halves[*]}" [5.10]="${halves[*]}" [6.1]="${halves[*]}")
    for at in "${!kernels[@]}"; do
        kernel=${kernels[at]}
        parts="exact ${cli[$kernel]-}"
        ! is_turn "$at" 1 || parts+=" contended"
        [[ $parts != *contended || $kernel == 5.10 ]] || parts+=" full"
        ! is_turn "$at" 2 || parts+=" lockdown"
        suite guest "guest-$kernel" guest "$kernel" 1 "$parts"
        tried+="; $kernel: $parts"
    done
    faulty=(5.10 newest)
    for at in 0 1; do
        [[ $extent != all && $((turn % 2)) != "$at" ]] || suite guest "guest-${faulty[at]}-faults" guest "${faulty[at]}" 2 faults
    done
    suite guest guest-selinux selinux_in_guest
    run kernels whole tests/guest/kernels fetch "${kernels[@]}" &
fi
fetching=${!-}

run build-release whole build release
grep -q '^ok' $logs/build-release.tap || { echo "0 passed, 1 failed"; exit 1; }
run_all alone
(chrt -i -p 0 $BASHPID; run_all beside) &
run_all here &
declare -A busy=([$!]=1)
[[ -z $fetching ]] || wait "$fetching"
for line in "${suites[@]}"; do
    [[ $line == "guest "* ]] || continue
    if ((${#busy[@]} >= at_once)); then
        wait -n -p ended "${!busy[@]}"
        unset "busy[$ended]"
    fi
    eval "run ${line#* }" &
    busy[$!]=1
done
wait

echo
printf '%-24s %8s %10s %7s %7s\n' suite seconds processor passed failed
for tap in "$logs"/*.tap; do
    name=$(basename "$tap" .tap)
    read -r seconds user system < <(tail -qn 1 "$logs/$name.time" 2>/dev/null || echo "- 0 0")
    printf '%-24s %8s %10s %7s %7s\n' "$name" "$seconds" $((user + system)) "$(grep -c '^ok' "$tap")" "$(grep -c '^not ok' "$tap")"
done | sort -k2nr
if [[ $extent != quick ]]; then
    echo "kernels: $(cd "$cache" && cat "${kernels[@]/%//release}" | tr '\n' ' ')$tried"
fi
passed=$(cat $logs/*.tap | grep -c '^ok')
failed=$(cat $logs/*.tap | grep -c '^not ok')
echo "all: $SECONDS s; the logs are in $logs"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
