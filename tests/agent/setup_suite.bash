# Debian's agent, unpacked for all tests of the folder; not installed, which would start it. In the folder that AGENT names,
# if it does: there it may be already.
setup_suite() {
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR"
    export AGENT=${AGENT-$BATS_SUITE_TMPDIR/agent}
    [[ ! -e $AGENT/usr/sbin/netdata ]] || return 0
    mkdir -p -m 755 "$AGENT"
    cd "$AGENT" || return 1
    local wanted=(netdata-core libcap2 libjson-c5 liblz4-1 libmnl0 libssl3 libuuid1 libuv1 zlib1g) package
    apt-get download "${wanted[@]}" >&2 || { apt-get update -qq && apt-get download "${wanted[@]}"; } >&2
    for package in *.deb; do dpkg-deb -x "$package" . || return 1; done
    cat /sys/kernel/btf/vmlinux >/dev/null # into memory: the first start would read it slowly
}
