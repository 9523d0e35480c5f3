// What the running kernel offers, asked of the kernel itself, never of its version number.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include "base/groups.h"

enum class Way { Tracepoint, Trampoline, ProbeMulti, Probe, Syscalls };
constexpr int ways = 5;
const char* name_of(Way way);

struct Kernel {
    std::map<std::string, int> functions;  // those of the tables that it has, and how many arguments they take
    std::set<std::string> events;          // the tracepoints of the tables that it has
    std::map<Way, std::string> refused;    // ways that it has not got or does not allow, and why
    bool compare_exchange = true;          // BPF can (5.12; arm64 5.18)
    bool casts = true;                     // it can too, and has bpf_rdonly_cast() (6.2)
    bool reads_memory = true;              // programs may, by helpers: not under lockdown's confidentiality
    std::shared_ptr<const int> types{};    // the open file of `btf path`; null: the kernel's own type information

    std::string types_path() const;  // to open it again, and no other; "" is the kernel's own

    bool allows(Way way) const { return !refused.contains(way); }

    // The kernel's own name for the best of a hook's functions that it has; "" if it has none.
    std::string resolve(const Hook& hook) const;
};

// What is looked for in type information: functions and tracepoints under each name that they may have in a kernel, and the
// modules that some functions are of.
struct Wanted {
    std::set<std::string, std::less<>> names;
    std::set<std::string> modules{};
};
Wanted wanted_types(std::span<const Hook> hooks);

// The numbers of types that the plugin asks the kernel more about; 0: there is none.
struct FoundTypes {
    int function = 0, sys_exit = 0;
    bool casts = false;  // BPF has bpf_rdonly_cast()
};
// Adds to `kernel` what `types` have from number `first` on: those of a module come after the kernel's.
FoundTypes find_types(const struct btf* types, unsigned first, const Wanted& wanted, Kernel& kernel);

// Whether the ids of processes are those that the kernel counts by.
bool in_first_pid_namespace();

// Reads the type information and tries each way with a tiny program. Throws what the user can do about it, if nothing
// can be loaded at all. btf_path: a file, or a folder with a file `vmlinux`; "" is the kernel's own.
Kernel ask_kernel(const std::string& btf_path);
