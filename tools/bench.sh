#!/bin/sh
# Builds the benchmarks and runs them, as root: tools/bench.sh [--markdown] [--exact] [E] [T] [P] [X]
set -eu
cd "$(dirname "$0")/.."

if [ -e CMakePresets.json ]; then
    cmake --preset release -DEBPF_PLUGIN_BENCHMARKS=ON >/dev/null
else
    cmake -G Ninja -B build/release -DCMAKE_BUILD_TYPE=Release -DEBPF_PLUGIN_BENCHMARKS=ON >/dev/null
fi
cmake --build build/release --target bench >&2
exec build/release/tests/bench/bench "$@"
