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
build=build/$1
mkdir -p "$build"
trap 'tail -30 "$build.log" >&2' ERR
{
    cmake --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DPLUGINS_DIR="$plugins" \
        -DSTOCK_CONFIG_DIR=/usr/lib/netdata/conf.d -DEBPF_PLUGIN_TESTS=OFF
    cmake --build "$build"
    rm -f "$build"/*."$1"
    cpack --config "$build/CPackConfig.cmake" -B "$build" -G "${1^^}"
} >"$build.log" 2>&1
ls "$build"/*."$1"
