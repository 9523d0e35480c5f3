// Kernels that never ran: what make_plan() can be asked about.
#pragma once
#include <string>
#include "bpf/attach_plan.h"

// The name under which an x86 kernel knows a function of the tables.
inline std::string kernels_name(const std::string& function) {
    if (function.starts_with("sys32_")) return "__ia32_sys_" + function.substr(6);
    return function.starts_with("sys_") ? "__x64_" + function : function;
}

// Has the first function of every hook, and all tracepoints but those that serve instead of functions.
inline Kernel kernel_with_everything() {
    Kernel kernel;
    for (const Group& group : groups)
        for (const Hook& hook : group.hooks) {
            if (hook.functions[0]) kernel.functions[kernels_name(hook.functions[0])] = 3;
            if (hook.event) kernel.events.insert(hook.event);
        }
    return kernel;
}

// The same with those: as kernels are since 6.3.
inline Kernel kernel_that_tells_of_messages() {
    Kernel kernel = kernel_with_everything();
    kernel.events.insert({"sock_send_length", "sock_recv_length"});
    return kernel;
}

// The first, but without some ways to attach.
template <class... Ways>
Kernel kernel_without(Ways... absent) {
    Kernel kernel = kernel_with_everything();
    ((kernel.refused[absent] = std::string("no ") + name_of(absent) + "!"), ...);
    return kernel;
}

// Nothing can be hooked but the end of system calls.
inline Kernel kernel_of_system_calls() { return kernel_without(Way::Trampoline, Way::ProbeMulti, Way::Probe); }

inline Config config_with(LoadMode mode, Attach attach = Attach::Auto) {
    Config config;
    config.load_mode = mode;
    config.attach = attach;
    return config;
}

// All that the kernel with everything counts: each counter but those that only stand in for another.
inline CounterSet all_counters() {
    Config config = config_with(LoadMode::Return);
    return make_plan(kernel_with_everything(), config).counted(config);
}

// A counter by its number over all groups, and a hook by its name.
#define COUNTER(group, counter) (static_cast<int>(group##_base) + static_cast<int>(group##_##counter))

inline int hook_named(const std::string& name) {
    for (int id = 0; id < HOOKS; id++)
        if (hook_ref(id).name() == name) return id;
    throw std::out_of_range(name);
}
