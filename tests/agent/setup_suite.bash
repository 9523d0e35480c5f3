# The agent is unpacked for all tests of the folder; in the folder that AGENT names, if it does: there it may be already.
source "${BASH_SOURCE[0]%/*}/private_agent.bash"

setup_suite() {
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR"
    export AGENT=${AGENT-$BATS_SUITE_TMPDIR/agent}
    unpack_agent
    cat /sys/kernel/btf/vmlinux >/dev/null # into memory: the first start would read it slowly
}
