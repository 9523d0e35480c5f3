#include "bpf/kernel.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>
#include "base/error.h"
#include "base/groups.h"
#include "base/owner.h"
#include "guard/privileges.h"

const char* name_of(Way way) {
    constexpr const char* names[] = {"tracepoint", "trampoline", "kprobe.multi", "kprobe", "syscalls"};
    return names[static_cast<int>(way)];
}

bool in_first_pid_namespace() {
    struct stat about;
    return stat("/proc/self/ns/pid", &about) == 0 && about.st_ino == 0xEFFFFFFC;  // PROC_PID_INIT_INO
}

namespace {

// The names that a function of the tables may have in a kernel.
std::vector<std::string> kernels_names(const std::string& function) {
    if (function.starts_with("sys32_")) return {"__ia32_sys_" + function.substr(strlen("sys32_"))};
    if (!function.starts_with("sys_")) return {function};
    return {function, "__x64_" + function, "__arm64_" + function};
}

}  // namespace

std::string Kernel::resolve(const Hook& hook) const {
    for (const char* function : hook.function_names())
        for (const std::string& name : kernels_names(function))
            if (functions.contains(name)) return name;
    return "";
}

namespace {

class Fd {
public:
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() {
        if (fd_ >= 0) close(fd_);
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

// 0, or why the kernel refuses the program.
int try_load(bpf_prog_type type, std::vector<bpf_insn> program, bpf_attach_type attach = bpf_attach_type{},
             int target = 0) {
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach,
                .attach_btf_id = static_cast<__u32>(target));
    Fd fd(bpf_prog_load(type, "ebpf_plugin_try", "GPL", program.data(), program.size(), &options));
    return fd ? 0 : errno;
}

const std::vector<bpf_insn> nothing = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

const std::vector<bpf_insn> compare_exchange = {
    {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .src_reg = 0, .off = -4, .imm = 0},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .src_reg = 0, .off = 0, .imm = 1},
    {.code = BPF_STX | BPF_ATOMIC | BPF_W, .dst_reg = BPF_REG_10, .src_reg = BPF_REG_2, .off = -4, .imm = BPF_CMPXCHG},
    nothing[0],
    nothing[1],
};

const std::vector<bpf_insn> memory_read = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10, .off = 0, .imm = 0},
    // NOLINTNEXTLINE(misc-redundant-expression)
    {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .src_reg = 0, .off = 0, .imm = -8},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .src_reg = 0, .off = 0, .imm = 8},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_probe_read_kernel},
    nothing[0],
    nothing[1],
};

// Only creates the probe, which neither patches the kernel nor waits for anything.
int try_probe(const std::string& function) {
    std::ifstream file("/sys/bus/event_source/devices/kprobe/type");
    perf_event_attr attr{};
    if (!(file >> attr.type)) return ENOENT;  // libbpf would make events in tracefs, which stay if we are killed
    attr.size = sizeof attr;
    attr.config1 = reinterpret_cast<__u64>(function.c_str());
    Fd fd(static_cast<int>(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
    return fd ? 0 : errno;
}

// A kernel without these ignores the attach type at load and refuses at the attach; one with them misses the function.
int try_probe_multi() {
    LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_KPROBE_MULTI);
    int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "ebpf_plugin_try", "GPL", nothing.data(), nothing.size(), &load);
    if (program < 0) return errno;
    Fd fd(program);
    const char* nowhere = "ebpf_plugin_no_such_function";
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.kprobe_multi.syms = &nowhere;
    options.kprobe_multi.cnt = 1;
    Fd link(bpf_link_create(program, 0, BPF_TRACE_KPROBE_MULTI, &options));
    return link || errno == ESRCH || errno == ENOENT ? 0 : errno;
}

constexpr const char* no_kprobes =
    "this kernel is built without them (CONFIG_KPROBE_EVENTS), or /sys/bus/event_source/devices/kprobe is not to be "
    "read";

constexpr const char* locked_down = "forbidden by the kernel's lockdown (confidentiality)";

std::string because(int code) {
    if (code == 524) return "not supported by this kernel (ENOTSUPP)";
    return std::strerror(code);
}

// The SELinux context that this process runs in where SELinux enforces its policy (or does not let us see whether), else "".
std::string enforced_context() {
    std::string enforce, context;
    std::ifstream("/sys/fs/selinux/enforce") >> enforce;
    std::ifstream("/proc/self/attr/current") >> context;
    return enforce == "0" || std::count(context.begin(), context.end(), ':') < 2 ? "" : context.c_str();
}

}  // namespace

std::string Kernel::types_path() const { return types ? fmt::format("/proc/self/fd/{}", *types) : ""; }

namespace {

// Opened once, with the user's own rights: who may write the configuration must not have us read with ours what he has made
// up, or put in its place while we look.
std::shared_ptr<const int> open_types(const std::string& path) {
    OwnRights own_rights;
    int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return {};
    std::shared_ptr<const int> file(new int(fd), [](const int* open) {
        close(*open);
        delete open;
    });
    struct stat about;
    if (fstat(fd, &about) || !S_ISREG(about.st_mode) || about.st_uid != 0 || about.st_mode & (S_IWGRP | S_IWOTH))
        throw Error(
            fmt::format("`btf path` names {}, which is not a file that root alone can change: refused; copy it to a "
                        "folder of root's, then chown root and chmod go-w it",
                        path));
    return file;
}

std::string libbpf_reason(int code) {
    char text[128];
    libbpf_strerror(code, text, sizeof text);
    return text;
}

}  // namespace

Kernel ask_kernel(const std::string& btf_path) {
    if (int code = try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, nothing)) {
        if (std::string context = enforced_context(); code == EACCES && !context.empty())
            throw Error(
                fmt::format("SELinux lets {} load no eBPF program ({}): run selinux/install.sh, which comes with "
                            "ebpf.plugin, for a policy that lets it; `ausearch -m avc -c ebpf.plugin` shows what "
                            "is denied",
                            context, because(code)),
                code);
        if (code == EPERM || code == EACCES)
            throw Error(fmt::format("the kernel lets this user load no eBPF program ({}): {}. It lacks {}",
                                    because(code), privileges_advice(), lacking_privileges()),
                        code);
        throw Error("the kernel loads no eBPF program (" + because(code) + "): it needs CONFIG_BPF_SYSCALL", code);
    }

    Kernel kernel;
    kernel.compare_exchange = !try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, compare_exchange);
    kernel.reads_memory = !try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, memory_read);

    libbpf_set_print(nullptr);  // what it has to say of them is in the error
    std::unique_ptr<btf, Destroy<btf__free>> types;
    if (btf_path.empty())
        types.reset(btf__load_vmlinux_btf());
    else {
        std::string file = std::filesystem::is_directory(btf_path) ? btf_path + "/vmlinux" : btf_path;
        kernel.types = open_types(file);
        if (kernel.types) types.reset(btf__parse(kernel.types_path().c_str(), nullptr));
        if (!types)
            throw Error(fmt::format("no type information of the kernel at {}: {}; name the kernel's own BTF file with "
                                    "`btf path` in ebpf.conf, or take the line out: most kernels have theirs",
                                    file, libbpf_reason(errno)),
                        errno);
    }
    if (!types)
        throw Error(fmt::format("no type information of the kernel at /sys/kernel/btf/vmlinux: {}; install a kernel "
                                "built with CONFIG_DEBUG_INFO_BTF, or name a BTF file for it with `btf path` in "
                                "ebpf.conf",
                                libbpf_reason(errno)),
                    errno);

    std::set<std::string, std::less<>> wanted;  // our functions under every name that they may have
    for (const Group& group : groups)
        for (const Hook& hook : group.hooks) {
            for (const char* function : hook.function_names())
                for (std::string& name : kernels_names(function)) wanted.insert(std::move(name));
            for (const char* event : {hook.event, hook.shared_event})
                if (event) wanted.insert(std::string("btf_trace_") + event);
        }
    wanted.insert({"btf_trace_sys_exit", "bpf_rdonly_cast"});

    kernel.casts = false;
    int any_function = 0, sys_exit = 0;
    __u32 count = btf__type_cnt(types.get());
    for (__u32 id = 1; id < count; id++) {  // one pass: a look-up by name is a pass of its own
        const btf_type* type = btf__type_by_id(types.get(), id);
        if (!btf_is_func(type) && !btf_is_typedef(type)) continue;
        std::string_view each = btf__name_by_offset(types.get(), type->name_off);
        if (!wanted.contains(each)) continue;
        std::string name(each);
        if (btf_is_typedef(type)) {
            kernel.events.insert(name.substr(strlen("btf_trace_")));
            if (name == "btf_trace_sys_exit") sys_exit = static_cast<int>(id);
        } else if (name == "bpf_rdonly_cast") {
            kernel.casts =
                !kernel.types || access("/sys/kernel/btf/vmlinux", R_OK) == 0;  // libbpf finds it there alone
        } else {
            kernel.functions[name] = btf_vlen(btf__type_by_id(types.get(), type->type));
            any_function = static_cast<int>(id);
        }
    }

    std::string function = kernel.functions.empty() ? "" : kernel.functions.begin()->first;
    if (function.empty()) {
        for (Way way : {Way::Trampoline, Way::ProbeMulti, Way::Probe})
            kernel.refused[way] = "the kernel has none of the functions";
    } else {
        if (int code = try_load(BPF_PROG_TYPE_TRACING, nothing, BPF_TRACE_FEXIT, any_function))
            kernel.refused[Way::Trampoline] = "fentry and fexit programs: " + because(code);
        if (int code = try_load(BPF_PROG_TYPE_KPROBE, nothing))
            kernel.refused[Way::Probe] = "kprobe programs: " + because(code);
        else if (int probe = try_probe(function))
            kernel.refused[Way::Probe] =
                std::string("kprobes: ") + (probe == ENOENT                          ? no_kprobes
                                            : probe == EPERM && !kernel.reads_memory ? locked_down
                                                                                     : because(probe));
        if (int code = try_probe_multi()) kernel.refused[Way::ProbeMulti] = "kprobe.multi: " + because(code);
    }
    if (!sys_exit)
        kernel.refused[Way::Syscalls] = "the kernel has no tracepoint sys_exit";
    else if (int code = try_load(BPF_PROG_TYPE_TRACING, nothing, BPF_TRACE_RAW_TP, sys_exit))
        kernel.refused[Way::Syscalls] = "typed tracepoint programs: " + because(code);
    return kernel;
}
