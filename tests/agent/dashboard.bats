#!/usr/bin/env bats
# bats file_tags=browser
# What a person sees: the agent's dashboard in a browser without a window, with our menu, its submenus and drawn charts.
load helpers

# What the page shows when its scripts have run, to the file seen.
look() { # NAME MENU
    browse "$1" "$2" --window-size=1400,2600 --dump-dom >page
    python3 "$BATS_TEST_DIRNAME/dashboard.py" <page | tee seen >&2
}
drawn() { grep -E "^chart $1( [^ ]+=[^ ]*)* $2=-?[0-9.,]*[1-9]" seen; } # CHART DIMENSION: with another value than 0

# Something to see: opens, reads and processes.
busy() {
    while sleep 0.05; do cat /etc/hostname >/dev/null; done 3>&- &
    started+=($!)
}

@test "classic names: the menu eBPF, its submenus, and their charts drawn" {
    agent a
    run_agent a
    busy
    await "values" collects a ebpf.exit 20
    look a ebpf
    for submenu in File VFS Process Socket Network_connections; do grep -qx "submenu ebpf $submenu" seen; done
    grep -qx "menu filesystem" seen
    grep -qx "menu apps" seen
    for submenu in ebpf_syscall ebpf_net; do grep -qx "submenu apps $submenu" seen; done
    drawn ebpf.file_descriptor open
    drawn ebpf.file_descriptor close
    drawn ebpf.io read
    drawn ebpf.exit process
}

@test "current names: the menus Filesystem and System, the charts of an application drawn" {
    agent a
    printf '%s\n' '[global]' 'chart names = current' >a/etc/ebpf.conf
    run_agent a
    busy
    await "values" collects a filesystem.file_descriptor 20
    look a filesystem
    for submenu in "filesystem file_access" "filesystem vfs" "system processes"; do grep -qx "submenu $submenu" seen; done
    drawn filesystem.file_descriptor open
    drawn filesystem.vfs_io read
}

@test "without the plugin there is nothing of it" {
    agent a
    sed -i 's/ebpf = yes/ebpf = no/; s/netdata monitoring = no/netdata monitoring = yes/' a/etc/netdata.conf
    run_agent a
    look a netdata
    grep -qx 'menu netdata' seen
    not grep -qE '^menu (ebpf|filesystem|apps)$|^chart (ebpf|filesystem|apps)\.' seen
}
