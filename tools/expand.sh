#!/bin/sh
# Prints what the macros of a group's programs become: `tools/expand.sh GROUP INCLUDES…`, or `GROUP=vfs cmake --build
# build/release --target expand`.
set -eu
group=$1
shift
cd "$(dirname "$0")/.."
clang -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -DHAS_COMPARE_EXCHANGE -std=gnu11 "$@" -Icharts -Ikernel-collector -E \
    "kernel-collector/$group.bpf.c" |
    awk -v own="$group.bpf.c\"" '/^# [0-9]+ "/ { shown = index($0, own); next } shown' | clang-format --assume-filename=x.cpp
