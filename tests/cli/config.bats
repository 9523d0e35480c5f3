#!/usr/bin/env bats
# Which ebpf.conf is read, and what is said of what is wrong in it.
load helpers

switch_off() { # all but one group, in that file
    printf '[ebpf programs]\nprocess = no\n%s = yes\n' "$2" >"$1"
}

charted() { "$plugin" 1 --once 2>err | grep -oE '^CHART ebpf\.(io|file_descriptor|exit) ' | sort | tr -d '\n'; }

@test "the user's ebpf.conf goes before everything" {
    switch_off user/ebpf.conf file
    switch_off user/ebpf.d.conf vfs
    switch_off stock/ebpf.conf vfs
    [[ $(charted) == "CHART ebpf.file_descriptor " ]]
}

@test "then the user's ebpf.d.conf, whose foreign keys pass in silence" {
    rm user/ebpf.conf
    switch_off user/ebpf.d.conf vfs
    printf '    cachestat = yes\n[ipc]\n    backlog = 20\n' >>user/ebpf.d.conf
    switch_off stock/ebpf.conf file
    [[ $(charted) == "CHART ebpf.io " ]]
    not grep -q WARNING.*ebpf.d.conf err
}

@test "then the stock ebpf.conf; a stock ebpf.d.conf is another collector's" {
    rm user/ebpf.conf
    switch_off stock/ebpf.d.conf vfs
    switch_off stock/ebpf.conf file
    [[ $(charted) == "CHART ebpf.file_descriptor " ]]
}

@test "--config names another" {
    switch_off other vfs
    "$plugin" 1 --once --config other >out 2>err
    grep -q '^CHART ebpf.io ' out
    not grep -q '^CHART ebpf.exit ' out
}

@test "a wrong value, an unknown key, an unknown section: a line each with file and line, and the default stands" {
    printf '[global]\n  update every = often\n  ebpf load mod = return\n[nonsense]\nx = y\nno sense\n' >user/ebpf.conf
    "$plugin" 1 --once >out 2>err
    grep -q 'user/ebpf.conf:2: `update every` = `often` is not understood: a whole number from 1 to 86400' err
    grep -q 'user/ebpf.conf:3: unknown key `ebpf load mod` in \[global\].* nearest is `ebpf load mode`' err
    grep -q 'user/ebpf.conf:5: unknown section \[nonsense\]' err
    grep -q 'user/ebpf.conf:6: ' err
    grep -q '^END' out
}

@test "a file that cannot be read is named, and the defaults stand" {
    rm user/ebpf.conf
    mkdir user/ebpf.conf
    "$plugin" 1 --once >out 2>err
    grep -q "user/ebpf.conf" err
    grep -q '^CHART ebpf.exit ' out
    "$plugin" 1 --once --config missing >out 2>err
    grep -q 'read missing: No such file or directory: the defaults stand' err
    grep -q '^END' out
}

@test "everything off means off" {
    printf '[ebpf programs]\nprocess = no\nnetwork viewer = no\n' >user/ebpf.conf
    run -0 timeout 10 "$plugin" 1
    [[ $output == *"all groups are switched off"* && ${lines[-1]} == DISABLE && $output != *CHART* ]]
}

@test "the file's interval goes before the agent's" {
    printf '[global]\nupdate every = 2\n' >user/ebpf.conf
    "$plugin" 1 --once >out
    grep -qE '^CHART ebpf.exit .* line 21007 2 ' out
}

@test "the load mode of the file, in both spellings, and the command line over it" {
    printf '[global]\nebpf load mode = return\n' >user/ebpf.conf
    "$plugin" 1 --once >out
    grep -q '^CHART ebpf.file_error ' out
    printf '[global]\nload = return\n' >user/ebpf.conf
    "$plugin" 1 --once >out
    grep -q '^CHART ebpf.file_error ' out
    "$plugin" 1 --once --entry >out
    not grep -q '^CHART ebpf.file_error ' out
}

says() { # PATTERN [ARGUMENTS…]: one line at the start names what was read
    "$plugin" 1 --once "${@:2}" >out 2>err
    [[ $(grep -cE 'INFO: .*(read |built-in|found)' err) == 1 ]]
    grep -qE "INFO: $1\$" err
}

@test "the start says which files were read" {
    says "read $PWD/user/ebpf.conf; applications by the built-in rules"
    says "read $PWD/user/ebpf.conf" --global
    echo "a: b" >user/apps_groups.conf
    says "read $PWD/user/ebpf.conf and $PWD/user/apps_groups.conf"
    mv user/ebpf.conf other
    says "read $PWD/user/apps_groups.conf; no ebpf.conf found: the defaults stand"
    says "read other and $PWD/user/apps_groups.conf" --config other
    says "read $PWD/user/apps_groups.conf" --config missing
    rm user/apps_groups.conf
    says "no ebpf.conf found: the defaults stand; applications by the built-in rules"
    mkdir user/apps_groups.conf
    says "no ebpf.conf found: the defaults stand"
}

@test "a configuration from hell" {
    head -c 20000 /dev/urandom >user/ebpf.conf
    "$plugin" 1 --once >out 2>err
    grep -q '^END' out
    { printf '\xef\xbb\xbf[global]\r\n'; head -c 5000 /dev/zero | tr '\0' x; printf ' = 1\r\nattach = \0\r\n[[[\n]]]\n===\n'; } >user/ebpf.conf
    "$plugin" 1 --once >out 2>err
    grep -q '^END' out
}
