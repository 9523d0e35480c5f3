#!/bin/bash
# Installs what is missing, builds and runs every test: unit tests (also with sanitizers), command line, a real agent, packages,
# benchmarks that prove exactness, lint, and real kernels in guests. `tools/test.sh quick` leaves the guests out.
# Ends with the line "N passed, N failed"; the status says whether all passed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
kernels=(5.10 6.1 6.12 6.18 newest)
at_once=2 # guests; each takes a processor for itself

tools/install-packages.sh tools/packages tests/packages tests/guest/packages tests/guest/selinux.packages || exit 1
logs=build/test-logs
rm -rf $logs
mkdir -p $logs

# All suites speak TAP ("ok 1 - …"), which is what is counted at the end.
tap_step() { # NAME COMMAND…: one test that is a whole command
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$logs/$name.out" 2>&1; then
        echo "ok 1 - $name" >"$logs/$name.tap"
    else
        echo "not ok 1 - $name" >"$logs/$name.tap"
        tail -50 "$logs/$name.out"
    fi
    echo "$name: $(head -1 "$logs/$name.tap"), $((SECONDS - start)) s"
}

tap_suite() { # NAME COMMAND…: a command that prints TAP
    local name=$1 start=$SECONDS
    shift
    if ! "$@" >"$logs/$name.tap" 2>"$logs/$name.err" && ! grep -q '^not ok' "$logs/$name.tap"; then
        echo "not ok 0 - $name did not run to its end" >>"$logs/$name.tap"
    fi
    grep -A30 '^not ok' "$logs/$name.tap" | head -100
    grep -q '^not ok' "$logs/$name.tap" && tail -20 "$logs/$name.err"
    echo "$name: $(grep -c '^ok' "$logs/$name.tap") passed, $(grep -c '^not ok' "$logs/$name.tap") failed, $((SECONDS - start)) s"
}

gtest() { # BINARY: its results as TAP
    "$@" --gtest_brief=0 2>&1 | tee "$logs/gtest.out" | awk '
        /^\[       OK \]/ { print "ok " ++n " - " $4 }
        /^\[  FAILED  \] .*\(/ { print "not ok " ++n " - " $4 }
        /Failure|error:|ERROR:/ { print "# " $0 }'
    return "${PIPESTATUS[0]}"
}

fuzz() { build fuzz >&2 && tests/fuzz/run build/fuzz -max_total_time=60; }

lint_shell() {
    git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run packaging/man-page packaging/post*.in tests/package/inside tests/fuzz/run tests/agent/private_agent.bash tests/guest/{run,kernels,agent,checks,selinux,table} | xargs -0 shellcheck
}
lint_rooms() { tools/lint-rooms.sh; }
lint_format() { git ls-files -z 'plugin/*.cpp' 'plugin/*.h' 'tests/unit/*' 'tests/protocol/*' | xargs -0 clang-format --dry-run -Werror; }
lint_tidy() {
    git ls-files -z 'plugin/*.cpp' 'tests/unit/*.cpp' 'tests/protocol/*.cpp' | xargs -0 -P 2 -n 3 clang-tidy -p build/release --quiet --warnings-as-errors='*'
}

build() { # PRESET [OPTIONS OF THE BUILD]
    cmake --preset "$1" >"$logs/cmake-$1.out" && cmake --build --preset "$@"
}

guest() { # KERNEL CHECKS COMMAND-LINE
    local cpus=1
    [[ $2 != faults ]] || cpus=2
    tests/guest/run --kernel "$1" --cpus $cpus --memory 768 --timeout 1500 --out "build/test-logs/counts-$1" --cmdline "$3" -- \
        tests/guest/checks "$PWD/build/release" "$2"
}

selinux_in_guest() {
    local policy=${EBPF_GUEST_CACHE:-/var/cache/ebpf-plugin-guests}/selinux
    tests/guest/selinux prepare "$policy" >&2 || return
    tests/guest/run --kernel 6.1 --memory 1536 --timeout 1500 --cmdline "security=selinux selinux=1 enforcing=0" -- \
        tests/guest/selinux check "$policy" "$PWD/build/release"
}

agent_in_guest() { # the same with trampolines
    tests/guest/run --kernel 6.12 --memory 1536 --timeout 1200 -- tests/guest/agent "$AGENT" "$PWD/build/release"
}

exact() { # the benchmarks' proofs as TAP
    build/release/tests/bench/bench --exact | tee "$logs/exact.out" |
        awk '/ pass$/ { print "ok " ++n " - " $0 } / FAIL$/ { print "not ok " ++n " - " $0 }'
    return "${PIPESTATUS[0]}"
}

# The compilers first: what follows has to do with time.
tap_step build-release build release
[[ $(<$logs/build-release.tap) == ok* ]] || { echo "0 passed, 1 failed"; exit 1; }
tap_step build-asan build asan --target unit
tap_suite unit gtest build/release/tests/unit
tap_suite unit-asan gtest build/asan/tests/unit
tap_suite fuzz fuzz
tap_step lint-shell lint_shell
tap_step lint-rooms lint_rooms
tap_step lint-format lint_format
tap_step lint-tidy nice -n 19 bash -c "$(declare -f lint_tidy); lint_tidy" & # beside those that wait more than they work
# `alone`: what the others do at the same time would be counted too.
tap_suite cli bats --tap --jobs 10 --filter-tags '!alone' tests/cli
tap_suite cli-alone bats --tap --filter-tags alone tests/cli
export AGENT=$PWD/build/agent # the unpacked one
tap_suite agent bats --tap --filter-tags '!own_machine' tests/agent # whose clock they may set
tap_suite package bats --tap tests/package
tap_suite exact exact
wait

if [[ ${1-} != quick ]]; then
    tests/guest/kernels fetch "${kernels[@]}" || echo "not ok 0 - the guests' kernels could not be fetched" >$logs/kernels.tap
    # The longest first. The programs are compiled three times, for kernels before 5.12, before 6.2 and after: of each one
    # kernel is tried in everything. 5.10 has no preempt=full.
    while read -r run kernel checks cmdline; do
        (($(jobs -rp | wc -l) < at_once)) || wait -n
        case $run in
            selinux | agent) tap_suite "guest-$run" "${run}_in_guest" & ;;
            *) tap_suite "$run" guest "$kernel" "$checks" "$cmdline" & ;;
        esac
    done < <(
        for kernel in 5.10 6.1 newest; do echo "guest-$kernel $kernel idle"; done
        for kernel in 6.12 6.18; do echo "guest-$kernel $kernel counters"; done
        echo agent
        echo selinux
        for kernel in 5.10 newest; do echo "guest-$kernel-faults $kernel faults"; done
        for kernel in "${kernels[@]}"; do echo "guest-$kernel-contended $kernel contended"; done
        for kernel in 6.1 6.12 6.18 newest; do echo "guest-$kernel-contended-full $kernel contended preempt=full"; done
    )
    wait
fi

passed=$(cat $logs/*.tap | grep -c '^ok')
failed=$(cat $logs/*.tap | grep -c '^not ok')
echo "the logs are in $logs"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
