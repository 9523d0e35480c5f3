#!/usr/bin/env bats
# tools/check-kernel-config.sh against the configurations of distributions' kernels, and against this machine's own.
bats_require_minimum_version 1.5.0
script=$BATS_TEST_DIRNAME/../../tools/check-kernel-config.sh
configs=$BATS_TEST_DIRNAME/kernel-configs
release=1.2.3-test

# A machine where everything is as root of a Debian sees it; the kernel's configuration is added by the test.
setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    export NETDATA_HOST_PREFIX=$PWD/root
    mkdir -p root/{boot,"lib/modules/$release"} root/proc/{self,sys/kernel,sys/net/core} \
        root/sys/kernel/{btf,security} root/sys/fs/selinux
    cd root
    echo $release >proc/sys/kernel/osrelease
    echo 1 >proc/sys/kernel/ftrace_enabled
    echo 1 >proc/sys/net/core/bpf_jit_enable
    echo 3 >proc/sys/kernel/perf_event_paranoid
    echo 2 >proc/sys/kernel/unprivileged_bpf_disabled
    printf 'Name:\tsh\nCapBnd:\t000001ffffffffff\n' >proc/self/status
    echo 'Max locked memory         8388608              8388608              bytes' >proc/self/limits
    printf 'BPF_MAP_TYPE_HASH\0BPF_MAP_TYPE_RINGBUF\0bpf_map_type\0' >sys/kernel/btf/vmlinux
    echo '[none] integrity confidentiality' >sys/kernel/security/lockdown
}

use() { cp "$configs/$1" "boot/config-$release"; }

# check STATUS ARGUMENTS…: output is what is said, both streams
check() {
    local status=$1
    shift
    run "-$status" sh "$script" "$@"
}

@test "nothing is said of a kernel that has everything" {
    for config in debian-5.10 debian-6.1 debian-6.12 ubuntu-22.04 rhel-8 rhel-9; do
        use $config
        check 0
        [[ -z $output ]] || { echo "$config: $output" && return 1; }
    done
}

@test "a kernel without trampolines costs more, and that is said" {
    use alpine-6.6
    check 0
    [[ $output == *"CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS is missing"*"optional: no trampolines"* ]]
    [[ $output == *"CONFIG_FPROBE is missing"*"no kprobe.multi"* && $output == *"CONFIG_KPROBES_ON_FTRACE is missing"* ]]
    [[ $output != *required* && $output != *"CONFIG_KPROBES is"* ]]
}

@test "the configuration is also found packed in /proc, and beside the modules" {
    gzip <"$configs/alpine-5.4" >proc/config.gz
    rm sys/kernel/btf/vmlinux
    printf '0000000000000000 T schedule\n0000000000000000 t bpf_ringbuf_reserve\t[x]\n' >proc/kallsyms
    check 1
    [[ $output == *"CONFIG_DEBUG_INFO_BTF is missing"*"required"*"btf path"* && $output != *"cannot tell"* ]]
    rm proc/config.gz
    for place in config build/.config source/.config; do
        mkdir -p "$(dirname "lib/modules/$release/$place")"
        sed 's/=y/=n/' "$configs/debian-6.1" >"lib/modules/$release/$place"
        check 1
        [[ $output == *"CONFIG_BPF_SYSCALL is missing"* ]]
        rm "lib/modules/$release/$place"
    done
}

@test "everything that is missing is told, not only the first, with what is lost" {
    grep -vE 'CONFIG_(BPF_EVENTS|CGROUPS|KPROBES)=' "$configs/debian-6.12" >"boot/config-$release"
    check 1
    [[ ${#lines[@]} == 3 ]]
    for option in BPF_EVENTS CGROUPS KPROBES; do
        [[ $output =~ CONFIG_$option\ is\ missing\ \(not\ set\),\ (required|optional):\ [a-z]+ ]]
    done
}

@test "without a configuration the kernel's functions answer" {
    functions="bpf_prog_alloc bpf_map_new_fd perf_event_create_kernel_counter trace_call_bpf cgroup_attach_task \
        bpf_jit_binary_alloc register_ftrace_function ftrace_set_filter register_ftrace_direct register_kprobe \
        create_local_trace_kprobe kprobe_ftrace_handler register_fprobe"
    for function in schedule $functions; do echo "0000000000000000 T $function"; done >proc/kallsyms
    check 0
    [[ -z $output ]]
    sed -i /trace_call_bpf/d proc/kallsyms
    check 1
    [[ $output == *"CONFIG_BPF_EVENTS is missing (the kernel has no function trace_call_bpf)"* && ${#lines[@]} == 1 ]]
}

@test "what cannot be told is an answer of its own" {
    check 2
    [[ $output == *"cannot tell: CONFIG_BPF_SYSCALL (no configuration of this kernel is found), required"* ]]
    [[ $output != *"is missing"* ]]
    printf 'this is no gzip' >proc/config.gz
    check 2
    [[ $output == *"proc/config.gz cannot be read"* ]]
    use debian-6.1
    rm -r sys/kernel proc/config.gz proc/self/status
    check 2
    [[ $output == *"cannot tell: CONFIG_DEBUG_INFO_BTF"* && $output == *"cannot tell: capabilities"* ]]
}

@test "lockdown, rights and limits" {
    use debian-6.12
    echo 'none [integrity] confidentiality' >sys/kernel/security/lockdown
    check 0
    [[ -z $output ]]
    echo 'none integrity [confidentiality]' >sys/kernel/security/lockdown
    check 0
    [[ $output == *lockdown*"kprobes are refused"* ]]
    echo '[none] integrity confidentiality' >sys/kernel/security/lockdown

    echo 'CapBnd: 00000000a80425fb' >proc/self/status # a container's
    check 1
    [[ $output == *capabilities*"cap_bpf and cap_perfmon"* ]]
    echo 'CapBnd: 000000c0a80425fb' >proc/self/status # with those two
    check 0
    [[ $output == *perf_event_paranoid*"no kprobes without cap_sys_admin"* ]]

    # Before 5.11 eBPF memory is locked memory.
    printf '0000000000000000 T schedule\n' >proc/kallsyms
    check 1
    [[ $output == *memlock*cap_sys_resource* ]]
    echo 'Max locked memory         unlimited            unlimited            bytes' >proc/self/limits
    check 0
    [[ $output != *memlock* ]]
    echo '0000000000000000 T bpf_ktime_get_coarse_ns' >>proc/kallsyms
    echo 'Max locked memory         65536                65536                bytes' >proc/self/limits
    check 0
    [[ $output != *memlock* ]]

    echo 0 >proc/sys/kernel/ftrace_enabled
    echo 0 >proc/sys/net/core/bpf_jit_enable
    check 0
    [[ $output == *ftrace_enabled*"no trampolines"* && $output == *bpf_jit_enable*interpreted* ]]
}

@test "a kernel without the ring buffer is told by its types" {
    use rhel-8
    printf 'BPF_MAP_TYPE_HASH\0bpf_map_type\0' >sys/kernel/btf/vmlinux
    check 1
    [[ $output == *"ring buffer"*"Linux 5.8"* && ${#lines[@]} == 1 ]]
}

@test "--verbose tells every check, --json the same, whatever the shell" {
    use rhel-9
    echo 1 >sys/fs/selinux/enforce
    check 0 --verbose
    [[ $output == "kernel $release, configuration: $PWD/boot/config-$release"* ]]
    [[ $output =~ CONFIG_BPF\ +required\ +ok && $output =~ SELinux\ +info\ +ok\ +enforcing.*selinux/install.sh ]]
    for check in tracefs debugfs lockdown kernel.unprivileged_bpf_disabled kernel.perf_event_paranoid memlock capabilities; do
        grep -qE "^$check +(info|optional|required) +ok " <<<"$output"
    done
    said=$((${#lines[@]} - 1))
    check 0 --json
    jq -e --argjson said $said '.status == 0 and (.checks | length) == $said and all(.checks[]; .state == "ok")' <<<"$output"
    for shell in dash bash 'busybox sh'; do
        [[ $($shell "$script" --json) == "$output" ]]
    done
}

@test "it can be piped into a shell" {
    use alpine-6.6
    said=$(sh "$script" 2>&1)
    [[ $(sh 2>&1 <"$script") == "$said" && -n $said ]]
    run -3 sh -c 'sh -s -- --no-such-option <"$1"' - "$script"
    [[ $output == *"unknown option --no-such-option"* ]]
    # A download that breaks off runs nothing.
    [[ -z $(head -n -1 "$script" | sh 2>&1) ]]
}

@test "this machine can run the plugin, and it says so" {
    unset NETDATA_HOST_PREFIX
    check 0
    [[ $output != *required* ]]
    run -0 sh "$script" --verbose
    [[ $output =~ CONFIG_BPF_SYSCALL\ +required\ +ok ]]
}
