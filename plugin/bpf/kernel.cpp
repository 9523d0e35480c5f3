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

constexpr std::string_view event_prefix = "btf_trace_", sys_exit_type = "btf_trace_sys_exit",
                           cast_function = "bpf_rdonly_cast";

std::string module_of(const std::string& function) {
    size_t colon = function.find(':');
    return colon == std::string::npos ? "" : function.substr(0, colon);
}

// The names that a function of the tables may have in a kernel; that of a module has its own, built in or not.
std::vector<std::string> kernels_names(const std::string& function) {
    if (size_t colon = function.find(':'); colon != std::string::npos) return {function.substr(colon + 1)};
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

// 0, or why the kernel refuses the program.
int try_load(bpf_prog_type type, std::vector<bpf_insn> program, bpf_attach_type attach = bpf_attach_type{},
             int target = 0) {
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach,
                .attach_btf_id = static_cast<__u32>(target));
    Descriptor fd(bpf_prog_load(type, "ebpf_plugin_try", "GPL", program.data(), program.size(), &options));
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
    Descriptor fd(static_cast<int>(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
    return fd ? 0 : errno;
}

// A kernel without these ignores the attach type at load and refuses at the attach; one with them misses the function.
int try_probe_multi() {
    LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_KPROBE_MULTI);
    int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "ebpf_plugin_try", "GPL", nothing.data(), nothing.size(), &load);
    if (program < 0) return errno;
    Descriptor fd(program);
    const char* nowhere = "ebpf_plugin_no_such_function";
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.kprobe_multi.syms = &nowhere;
    options.kprobe_multi.cnt = 1;
    Descriptor link(bpf_link_create(program, 0, BPF_TRACE_KPROBE_MULTI, &options));
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

using Types = std::unique_ptr<btf, Destroy<btf__free>>;

// Throws what the user can do about it, if nothing can be loaded at all.
void ask_whether_programs_load() {
    int code = try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, nothing);
    if (!code) return;
    if (std::string context = enforced_context(); code == EACCES && !context.empty())
        throw Error(fmt::format("SELinux lets {} load no eBPF program ({}): run selinux/install.sh, which comes with "
                                "ebpf.plugin, for a policy that lets it; `ausearch -m avc -c ebpf.plugin` shows what "
                                "is denied",
                                context, because(code)),
                    code);
    if (code == EPERM || code == EACCES)
        throw Error(fmt::format("the kernel lets this user load no eBPF program ({}): {}. It lacks {}", because(code),
                                privileges_advice(), lacking_privileges()),
                    code);
    throw Error("the kernel loads no eBPF program (" + because(code) + "): it needs CONFIG_BPF_SYSCALL", code);
}

// The type information of `btf path`, or the kernel's own; kernel.types is the former's file.
Types read_types(const std::string& btf_path, Kernel& kernel) {
    Types types;
    if (btf_path.empty()) {
        types.reset(btf__load_vmlinux_btf());
        if (types) return types;
        throw Error(fmt::format("no type information of the kernel at /sys/kernel/btf/vmlinux: {}; install a kernel "
                                "built with CONFIG_DEBUG_INFO_BTF, or name a BTF file for it with `btf path` in "
                                "ebpf.conf",
                                libbpf_reason(errno)),
                    errno);
    }
    std::string file = std::filesystem::is_directory(btf_path) ? btf_path + "/vmlinux" : btf_path;
    kernel.types = open_types(file);
    if (kernel.types) types.reset(btf__parse(kernel.types_path().c_str(), nullptr));
    if (types) return types;
    throw Error(fmt::format("no type information of the kernel at {}: {}; name the kernel's own BTF file with "
                            "`btf path` in ebpf.conf, or take the line out: most kernels have theirs",
                            file, libbpf_reason(errno)),
                errno);
}

// The ways that go by function are tried on one that the kernel has.
void ask_for_function_ways(Kernel& kernel, int function_id) {
    if (kernel.functions.empty()) {
        for (Way way : {Way::Trampoline, Way::ProbeMulti, Way::Probe})
            kernel.refused[way] = "the kernel has none of the functions";
        return;
    }
    if (int code = try_load(BPF_PROG_TYPE_TRACING, nothing, BPF_TRACE_FEXIT, function_id))
        kernel.refused[Way::Trampoline] = "fentry and fexit programs: " + because(code);
    if (int code = try_load(BPF_PROG_TYPE_KPROBE, nothing))
        kernel.refused[Way::Probe] = "kprobe programs: " + because(code);
    else if (int probe = try_probe(kernel.functions.begin()->first))
        kernel.refused[Way::Probe] =
            std::string("kprobes: ") + (probe == ENOENT                          ? no_kprobes
                                        : probe == EPERM && !kernel.reads_memory ? locked_down
                                                                                 : because(probe));
    if (int code = try_probe_multi()) kernel.refused[Way::ProbeMulti] = "kprobe.multi: " + because(code);
}

}  // namespace

Wanted wanted_types(std::span<const Hook> hooks) {
    Wanted wanted{.names = {std::string(sys_exit_type), std::string(cast_function)}};
    for (const Hook& hook : hooks) {
        for (const char* function : hook.function_names()) {
            for (std::string& name : kernels_names(function)) wanted.names.insert(std::move(name));
            if (std::string module = module_of(function); !module.empty()) wanted.modules.insert(std::move(module));
        }
        for (const char* event : {hook.event, hook.shared_event})
            if (event) wanted.names.emplace(std::string(event_prefix) + event);
    }
    return wanted;
}

// One pass: a look-up by name is a pass of its own.
FoundTypes find_types(const btf* types, unsigned first, const Wanted& wanted, Kernel& kernel) {
    FoundTypes found;
    for (unsigned id = first, end = btf__type_cnt(types); id < end; id++) {
        const btf_type* type = btf__type_by_id(types, id);
        if (!btf_is_func(type) && !btf_is_typedef(type)) continue;
        std::string_view name = btf__name_by_offset(types, type->name_off);
        if (!wanted.names.contains(name)) continue;
        if (btf_is_typedef(type)) {
            kernel.events.emplace(name.substr(event_prefix.size()));
            if (name == sys_exit_type) found.sys_exit = static_cast<int>(id);
        } else if (name == cast_function) {
            found.casts = true;
        } else {
            kernel.functions[std::string(name)] = btf_vlen(btf__type_by_id(types, type->type));
            found.function = static_cast<int>(id);
        }
    }
    return found;
}

Kernel ask_kernel(const std::string& btf_path) {
    ask_whether_programs_load();
    Kernel kernel;
    kernel.compare_exchange = !try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, compare_exchange);
    kernel.reads_memory = !try_load(BPF_PROG_TYPE_RAW_TRACEPOINT, memory_read);

    libbpf_set_print(nullptr);  // what it has to say of types is in the error
    Types types = read_types(btf_path, kernel);
    std::vector<Hook> hooks;
    for (const Group& group : groups) hooks.insert(hooks.end(), group.hooks.begin(), group.hooks.end());
    const Wanted wanted = wanted_types(hooks);
    FoundTypes found = find_types(types.get(), 1, wanted, kernel);
    // libbpf finds the function in the kernel's own types alone.
    kernel.casts = found.casts && (!kernel.types || access("/sys/kernel/btf/vmlinux", R_OK) == 0);
    ask_for_function_ways(kernel, found.function);
    for (const std::string& module : wanted.modules)
        if (Types of_module{btf__load_module_btf(module.c_str(), types.get())})  // null: it is not loaded, or built in
            find_types(of_module.get(), btf__type_cnt(types.get()), wanted, kernel);

    if (!found.sys_exit)
        kernel.refused[Way::Syscalls] = "the kernel has no tracepoint sys_exit";
    else if (int code = try_load(BPF_PROG_TYPE_TRACING, nothing, BPF_TRACE_RAW_TP, found.sys_exit))
        kernel.refused[Way::Syscalls] = "typed tracepoint programs: " + because(code);
    return kernel;
}
