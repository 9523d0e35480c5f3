#!/usr/bin/env bats
# The packages in a copy of this system that is thrown away: what they install, that the agent shows the charts with
# nothing done by hand, and that upgrade and removal keep the user's settings and leave nothing else behind.

setup_file() {
    export root=$BATS_TEST_DIRNAME/../..
    DEB=$("$root/tools/package.sh" deb) && RPM=$("$root/tools/package.sh" rpm) || return 1
    export DEB=$root/$DEB RPM=$root/$RPM
}

@test "a Debian package: installed, run by the agent under its unit's bounds, upgraded, removed" {
    unshare -m --propagation private "$BATS_TEST_DIRNAME/inside" "$BATS_TEST_TMPDIR" deb "$DEB"
}

@test "an RPM package: installed with its rights, removed" {
    unshare -m --propagation private "$BATS_TEST_DIRNAME/inside" "$BATS_TEST_TMPDIR" rpm "$RPM"
}
