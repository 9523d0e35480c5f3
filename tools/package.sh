#!/bin/bash
# Builds the package of this tree: `tools/package.sh deb` for Debian's agent and Netdata's own, `tools/package.sh rpm`.
# Prints its path.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
    deb) plugins=/usr/lib/netdata/plugins.d ;;
    rpm) plugins=/usr/libexec/netdata/plugins.d ;;
    *) echo "usage: tools/package.sh deb|rpm" >&2 && exit 2 ;;
esac
tools/install-packages.sh tools/packages >&2
build=build/package # of both kinds: they differ in where things go
mkdir -p "build/$1"
exec 9>build/package.lock
flock 9
trap 'tail -30 "build/$1.log" >&2' ERR
{
    cmake --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DPLUGINS_DIR="$plugins" \
        -DSTOCK_CONFIG_DIR=/usr/lib/netdata/conf.d -DEBPF_PLUGIN_TESTS=OFF
    cmake --build "$build"
    rm -f "build/$1"/*."$1"
    cpack --config "$build/CPackConfig.cmake" -B "build/$1" -G "${1^^}"
} >"build/$1.log" 2>&1
ls "build/$1"/*."$1"
