#!/bin/sh
# Installs or removes the SELinux policy that lets ebpf.plugin use eBPF; says what it does and how to undo it.
set -u

usage='Usage: install.sh [--unconfined | --remove] [PLUGIN]

Loads the policy module netdata_ebpf, which gives ebpf.plugin a domain of its own, and labels PLUGIN for it; without
PLUGIN, the ebpf.plugin of each place where packages put it.
  --unconfined   instead the smaller module: eBPF for every service that has no policy of its own
  --remove       takes both modules away again'

here=$(dirname "$(realpath "$0")")
places='/usr/libexec /usr/lib /usr/lib64 /usr/local/libexec /usr/local/lib /opt/netdata/usr/libexec'

die() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

# The package of MODULE: the one that was built, else made now.
package() {
    if [ -r "$here/$1.pp" ]; then
        echo "$here/$1.pp"
        return
    fi
    for tool in checkmodule semodule_package; do
        command -v $tool >/dev/null ||
            die "there is no $here/$1.pp, and $tool, which makes it, is not installed (packages checkpolicy and, in Debian, semodule-utils)"
    done
    checkmodule -M -m -o "$work/$1.mod" "$here/$1.te" >&2 || die "$1.te cannot be compiled for this machine"
    set -- "$1" -o "$work/$1.pp" -m "$work/$1.mod"
    [ ! -r "$here/$1.fc" ] || set -- "$@" -f "$here/$1.fc"
    module=$1
    shift
    semodule_package "$@" >&2 || die "$module cannot be packed"
    echo "$work/$module.pp"
}

# What the policy says that each plugin is.
label() {
    for plugin in $plugins; do
        restorecon -F "$plugin" || die "$plugin cannot be labelled"
        # shellcheck disable=SC2012 # the label, which only ls shows everywhere
        echo "$plugin: $(ls -Z "$plugin" | awk '{ print $1 }')"
    done
}

loaded() { # MODULE
    semodule -l | awk '{ print $1 }' | grep -qx "$1"
}

what=netdata_ebpf plugins=
for argument; do
    case $argument in
    --unconfined) what=netdata_ebpf_unconfined ;;
    --remove) what=nothing ;;
    --help) printf '%s\n' "$usage" && exit 0 ;;
    -*) die "unknown option $argument

$usage" ;;
    *) plugins="$plugins $(realpath "$argument")" ;;
    esac
done
[ "$(id -u)" = 0 ] || die "must be run as root"
[ -e /sys/fs/selinux/enforce ] || die "SELinux is not active on this machine: nothing is denied by it, nothing is to be installed"
for tool in semodule restorecon; do
    command -v $tool >/dev/null || die "$tool is not installed (package policycoreutils)"
done
if [ -z "$plugins" ]; then
    for place in $places; do
        [ ! -f "$place/netdata/plugins.d/ebpf.plugin" ] || plugins="$plugins $place/netdata/plugins.d/ebpf.plugin"
    done
    [ -n "$plugins" ] || die "there is no ebpf.plugin where packages put it: name it"
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

for module in netdata_ebpf netdata_ebpf_unconfined; do
    [ $module != $what ] || continue
    ! loaded $module || semodule -r $module || die "the module $module cannot be removed"
done
if [ $what != nothing ]; then
    file=$(package $what) || exit 1
    semodule -i "$file" || die "the module $what cannot be loaded"
fi
label
if [ $what = netdata_ebpf ]; then
    for plugin in $plugins; do
        case $(ls -Z "$plugin") in
        *:netdata_ebpf_exec_t:*) ;;
        *) die "the policy does not know $plugin: tell it by 'semanage fcontext -a -t netdata_ebpf_exec_t $plugin' and run this again" ;;
        esac
    done
fi
if [ $what = nothing ]; then
    echo "No module of ebpf.plugin is loaded any more."
else
    echo "The module $what is loaded; '$0 --remove' takes it away. Restart the agent: systemctl restart netdata"
fi
