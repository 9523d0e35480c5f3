#!/bin/sh
# Tells whether this kernel can run ebpf.plugin, and what is lost where it cannot. Prints nothing if nothing is lost.
#
# For any POSIX shell, also from a pipe: `... | sudo sh`, `... | sudo sh -s -- --verbose`.

usage='Usage: check-kernel-config.sh [--verbose | --json]

Without an option it prints, on stderr, only what is missing or cannot be told, and what ebpf.plugin loses by it.
  --verbose   every check with its answer
  --json      the same for programs

Status 0: ebpf.plugin can run (less than all of it, if something is printed). 1: something that it requires is missing.
2: it cannot be told whether something that it requires is there. 3: unknown option.

NETDATA_HOST_PREFIX is put before /proc, /sys, /boot and /lib, as the agent does in a container.'

# Option, need, a function that kernels built with it have, and what is lost without it. `required`: ebpf.plugin does not
# start. `optional`: it counts less, or dearer. `spare`: the same, but only where trampolines do not serve.
# shellcheck disable=SC2016 # the backquotes are no commands
options='
BPF required bpf_prog_alloc nothing can be counted
BPF_SYSCALL required bpf_map_new_fd no eBPF program can be loaded
PERF_EVENTS required perf_event_create_kernel_counter no eBPF program can follow the kernel (CONFIG_BPF_EVENTS needs it)
BPF_EVENTS required trace_call_bpf no eBPF program can follow the kernel
CGROUPS required cgroup_attach_task the eBPF programs are refused: they ask whose cgroup they run in
BPF_JIT optional bpf_jit_binary_alloc no trampolines, and interpreted programs: an event costs several times as much
FUNCTION_TRACER optional register_ftrace_function no trampolines: kprobes serve, at three times the cost of an event
DYNAMIC_FTRACE optional ftrace_set_filter no trampolines: kprobes serve, at three times the cost of an event
DYNAMIC_FTRACE_WITH_DIRECT_CALLS optional register_ftrace_direct no trampolines: kprobes serve, at three times the cost of an event
KPROBES optional register_kprobe no `attach = probe`; without trampolines too, each system call of the machine becomes slower (70 to 120 ns)
KPROBE_EVENTS optional create_local_trace_kprobe no `attach = probe`; without trampolines too, each system call of the machine becomes slower (70 to 120 ns)
KPROBES_ON_FTRACE spare kprobe_ftrace_handler a kprobe costs an interrupt at each event
FPROBE spare register_fprobe no kprobe.multi: an event costs half as much again
'

main() {
    mode=quiet
    for argument; do
        case $argument in
        --verbose | --json) mode=${argument#--} ;;
        --help) printf '%s\n' "$usage" && exit 0 ;;
        *) printf 'check-kernel-config: unknown option %s\n\n%s\n' "$argument" "$usage" >&2 && exit 3 ;;
        esac
    done
    [ "$(uname -s)" = Linux ] || { echo "check-kernel-config: ebpf.plugin is for Linux, this is $(uname -s)" >&2 && exit 1; }
    export LC_ALL=C
    tab=$(printf '\t')
    newline='
'
    root=${NETDATA_HOST_PREFIX:-}
    results=
    release=$(cat "$root/proc/sys/kernel/osrelease" 2>/dev/null) || release=$(uname -r)

    read_configuration
    read_functions
    check_options
    check_running_kernel
    check_rights
    print_results
}

# result NAME NEED STATE VALUE [LOST]: STATE is ok, missing or unknown; NEED may also be `info`, which never counts.
result() {
    results="$results$1$tab$2$tab$3$tab$4$tab${5:-}$newline"
}

contents() { # FILE, below the prefix; nothing if it cannot be read
    [ ! -r "$root$1" ] || tr '\n' ' ' <"$root$1" 2>/dev/null | sed 's/ *$//'
}

# The configuration as lines "NAME=y", and where it is from; both empty if there is none to read.
read_configuration() {
    configuration='' source='' unreadable='' loaded=''
    find_configuration
    if [ -z "$source" ] && [ -z "$root" ] && modprobe configs </dev/null 2>/dev/null; then
        loaded=y # /proc/config.gz comes from a module in some distributions
        find_configuration
    fi
    case $source in
    '') ;;
    *.gz) configuration=$(gzip -dc <"$source" 2>/dev/null | grep '^CONFIG_.*=[ym]$') ;;
    *) configuration=$(grep '^CONFIG_.*=[ym]$' "$source") ;;
    esac
    [ -z "$loaded" ] || modprobe -r configs </dev/null 2>/dev/null
    if [ -z "$configuration" ] && [ -n "$source" ]; then
        unreadable=$source source=''
    fi
    return 0
}

find_configuration() {
    for file in "$root/proc/config.gz" "$root/boot/config-$release" "$root/lib/modules/$release/config" \
        "$root/lib/modules/$release/build/.config" "$root/lib/modules/$release/source/.config" \
        "$root/lib/modules/$release.$(uname -m)/source/.config" "$root/boot/config-$release"*; do
        if [ -r "$file" ]; then
            source=$file
            return
        fi
        [ ! -e "$file" ] || unreadable=$file
    done
}

# Of the functions that the options name, those that the running kernel has; "" if it does not tell.
read_functions() {
    functions=$(printf '%s' "$options" | awk '
        NR == FNR { wanted[$3]; next }
        FNR == 1 || $3 in wanted || $3 == "bpf_ringbuf_reserve" || $3 == "bpf_ktime_get_coarse_ns" { print " " $3 " " }
        ' - "$root/proc/kallsyms" 2>/dev/null)
}

has_function() {
    case $functions in *" $1 "*) return 0 ;; esac
    return 1
}

has_option() { # NAME FUNCTION: sets `state`, and where that is from
    state=missing value='not set'
    if [ -n "$source" ]; then
        case $newline$configuration$newline in
        *"${newline}CONFIG_$1=y$newline"*) state=ok value=y ;;
        *"${newline}CONFIG_$1=m$newline"*) state=ok value=m ;;
        esac
    elif [ -n "$functions" ]; then
        value="the kernel has no function $2"
        if has_function "$2"; then
            state=ok value="the kernel has the function $2"
        fi
    else
        state=unknown value='no configuration of this kernel is found'
        [ -z "$unreadable" ] || value="$unreadable cannot be read"
    fi
}

check_options() {
    trampolines=ok
    while read -r name need function lost; do
        [ -n "$name" ] || continue
        has_option "$name" "$function"
        case $state.$lost in
        ok.*) ;;
        *.'no trampolines'*) trampolines=$state ;;
        esac
        if [ "$need" = spare ]; then
            need=optional
            [ "$trampolines" != ok ] || need=info
        fi
        result "CONFIG_$name" "$need" "$state" "$value" "$lost"
    done <<END_OF_OPTIONS
$options
END_OF_OPTIONS
}

check_running_kernel() {
    machine=$(uname -m) state=missing
    [ "$machine" != x86_64 ] || state=ok
    result architecture required $state "$machine" 'the eBPF programs are written for x86_64'

    types=$root/sys/kernel/btf/vmlinux
    lost='no type information of the kernel: ebpf.plugin does not start unless a BTF file is named in ebpf.conf (btf path)'
    if [ -r "$types" ]; then
        result CONFIG_DEBUG_INFO_BTF required ok "$types"
    elif [ -d "$root/sys/kernel" ]; then
        result CONFIG_DEBUG_INFO_BTF required missing "there is no $types" "$lost"
    else
        result CONFIG_DEBUG_INFO_BTF required unknown 'sysfs is not mounted' "$lost"
    fi

    lost='the eBPF programs are refused: they need the ring buffer of Linux 5.8'
    if has_function bpf_ringbuf_reserve; then
        result 'ring buffer' required ok 'the kernel has the function bpf_ringbuf_reserve'
    elif [ -r "$types" ] && grep -q BPF_MAP_TYPE_RINGBUF "$types"; then
        result 'ring buffer' required ok 'the type information knows it'
    elif [ -n "$functions" ] || [ -r "$types" ]; then
        result 'ring buffer' required missing 'the kernel has none' "$lost"
    else
        result 'ring buffer' required unknown 'neither kallsyms nor type information can be read' "$lost"
    fi

    lost='no trampolines as long as it is 0: kprobes serve, at three times the cost of an event'
    value=$(contents /proc/sys/kernel/ftrace_enabled)
    case $value in
    '') result kernel.ftrace_enabled info unknown 'not to be read' ;;
    0) result kernel.ftrace_enabled optional missing 0 "$lost" ;;
    *) result kernel.ftrace_enabled optional ok "$value" ;;
    esac
    value=$(contents /proc/sys/net/core/bpf_jit_enable) # root's alone
    case $value in
    '') result net.core.bpf_jit_enable info unknown 'not to be read' ;;
    0) result net.core.bpf_jit_enable optional missing 0 'interpreted programs: an event costs several times as much' ;;
    *) result net.core.bpf_jit_enable optional ok "$value" ;;
    esac

    value=$(contents /sys/kernel/security/lockdown)
    case $value in
    *'[confidentiality]'*)
        result lockdown optional missing confidentiality \
            'kprobes are refused and no command lines are told: ebpf.plugin counts by trampolines and tracepoints alone' ;;
    *'['*']'*) value=${value#*[} && result lockdown optional ok "${value%%]*}" ;;
    *)
        state=ok value='the kernel has none'
        if [ -z "$source" ] || case $configuration in *CONFIG_SECURITY_LOCKDOWN_LSM=y*) ;; *) false ;; esac; then
            state=unknown value='securityfs is not mounted, or the kernel has none'
        fi
        result lockdown info $state "$value" ;;
    esac

    for system in tracefs debugfs; do
        place=$(awk -v system=$system '$3 == system { print $2; exit }' "$root/proc/mounts" 2>/dev/null)
        result $system info ok "${place:+mounted at }${place:-not mounted}; not needed"
    done
}

check_rights() {
    status=$root/proc/self/status
    capabilities=$(awk '$1 == "CapBnd:" { print $2 }' "$status" 2>/dev/null)
    lost='the kernel lets ebpf.plugin load nothing: give it cap_bpf and cap_perfmon, or cap_sys_admin'
    if [ -z "$capabilities" ]; then
        result capabilities required unknown "$status cannot be read" "$lost"
    elif may 21 || { may 38 && may 39; }; then
        result capabilities required ok "$(list_capabilities)"
    else
        result capabilities required missing "$(list_capabilities)" "$lost"
    fi

    result kernel.unprivileged_bpf_disabled info ok "$(contents /proc/sys/kernel/unprivileged_bpf_disabled); ebpf.plugin has the rights"
    value=$(contents /proc/sys/kernel/perf_event_paranoid)
    lost='no kprobes without cap_sys_admin while it is above 2'
    if [ -z "$capabilities" ] || may 21 || [ "${value:-0}" -le 2 ]; then
        result kernel.perf_event_paranoid optional ok "${value:-none}"
    else
        result kernel.perf_event_paranoid optional missing "$value" "$lost"
    fi

    # Until 5.11, which brought this function, eBPF memory was locked memory.
    limit=$(awk '/^Max locked memory/ { print $5 }' "$root/proc/self/limits" 2>/dev/null)
    lost='no memory for the tables: ebpf.plugin does not start; give it cap_sys_resource, or raise the limit (LimitMEMLOCK=infinity)'
    if [ "$limit" = unlimited ] || has_function bpf_ktime_get_coarse_ns; then
        result memlock required ok "${limit:-the kernel does not apply it}"
    elif [ -n "$capabilities" ] && may 24; then
        result memlock required ok "$limit; ebpf.plugin may raise it"
    elif [ -z "$functions" ] || [ -z "$limit" ]; then
        result memlock optional unknown "${limit:-no limit is told}" "$lost"
    else
        result memlock required missing "$limit" "$lost"
    fi

    value=$(contents /sys/fs/selinux/enforce)
    case $value in
    1) value='enforcing; if the log says that eBPF is denied, run selinux/install.sh' ;;
    0) value=permissive ;;
    *) value='not active' ;;
    esac
    result SELinux info ok "$value"
}

may() { # CAPABILITY's number: whether a program that is started here can have it
    [ $((0x$capabilities >> $1 & 1)) = 1 ]
}

list_capabilities() {
    list=
    for capability in 21:cap_sys_admin 24:cap_sys_resource 38:cap_perfmon 39:cap_bpf; do
        ! may "${capability%%:*}" || list="$list${list:+,}${capability#*:}"
    done
    printf '%s' "${list:-none of those that count}"
}

print_results() {
    printf '%s' "$results" | awk -F '\t' -v mode="$mode" -v release="$release" -v from="$source" '
        function quoted(text) {
            gsub(/[\001-\037]/, " ", text)
            gsub(/\\/, "\\\\", text)
            gsub(/"/, "\\\"", text)
            return "\"" text "\""
        }
        function say(text) { print "check-kernel-config: " text | "cat >&2" }
        BEGIN {
            status = 0
            words["ok"] = "ok"; words["missing"] = "missing"; words["unknown"] = "cannot tell"
            if (mode == "verbose") printf "kernel %s, configuration: %s\n", release, (from == "" ? "none found" : from)
        }
        {
            lost = $3 == "ok" ? "" : $5
            if ($2 == "required" && $3 == "missing") status = 1
            if ($2 == "required" && $3 == "unknown" && !status) status = 2
            if (mode == "json")
                checks = checks sprintf("%s\n  {\"name\": %s, \"need\": %s, \"state\": %s, \"value\": %s, \"lost\": %s}",
                    (checks == "" ? "" : ","), quoted($1), quoted($2), quoted($3), quoted($4), quoted(lost))
            else if (mode == "verbose")
                printf "%-40s %-9s %-12s %s\n", $1, $2, words[$3], $4 (lost == "" ? "" : ": " lost)
            else if ($2 != "info" && $3 == "missing")
                say($1 " is missing (" $4 "), " $2 ": " $5)
            else if ($2 != "info" && $3 == "unknown")
                say("cannot tell: " $1 " (" $4 "), " $2 "; without it: " $5)
        }
        END {
            if (mode == "json")
                printf "{\"kernel\": %s, \"configuration\": %s, \"status\": %d, \"checks\": [%s\n]}\n", quoted(release),
                    (from == "" ? "null" : quoted(from)), status, checks
            exit status
        }'
}

main "$@"
