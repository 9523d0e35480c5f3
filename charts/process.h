// Processes and threads: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

#define COUNTERS_START(group, hook) group##_##hook##_processes, group##_##hook##_threads,
#define COUNTERS_EXIT(group, hook) group##_##hook##_tasks, group##_##hook##_processes,
#define COUNTERS_CLONE_ERRORS(group, hook) group##_##hook##_process_errors, group##_##hook##_thread_errors,

// `exec` and `exit` end the life of a slot too, so they are attached whatever is counted. A task is released when its
// parent has waited for it. `freed` is the tracepoint that follows a release by an RCU grace period: exact as a total,
// too late to tell how many zombies there are, so it only stands in for the release.
#define process_HOOKS(HOOK, ALSO, EVENT)                                                                  \
    EVENT(process, exit, EXIT, "sched_process_exit", ALWAYS)                                              \
    EVENT(process, exec, NOTHING, "sched_process_exec", ALWAYS)                                           \
    EVENT(process, start, START, "task_newtask", WITH_IDENTITIES)                                         \
    EVENT(process, move, NOTHING, "cgroup_attach_task", WITH_CGROUPS)                                     \
    HOOK(process, release, PROGRAMS_BY_HAND(CALLS), FUNCTIONS("release_task"), SYSCALLS(), TELLS_RELEASE) \
    EVENT(process, freed, CALLS, "sched_process_free", TELLS_RELEASE, INSTEAD_OF_PREVIOUS)                \
    HOOK(process, clone, BY_HAND(CLONE_ERRORS), FUNCTIONS("kernel_clone", "_do_fork"),                    \
         SYSCALLS(fork, vfork, clone, clone3), IN_USER_MEMORY("whether a clone3 was to make a thread"))

DECLARE_COUNTERS(process);

#ifdef __cplusplus
#include "chart.h"

#define KIND_START {.calls = 2}
#define KIND_EXIT {.calls = 2}
#define KIND_CLONE_ERRORS {.errors = 2}

inline constexpr Chart process_charts[] = {
    {.classic = {"ebpf.process_thread", "Start process", "calls", "Process", 21006},
     .current = {"system.process_thread", "Start process", "calls/s", "processes", 21002},
     .dimensions = {{"_do_fork", "process", process_start_processes, 1, "kernel_clone"},
                    {"sys_clone", "thread", process_start_threads}}},
    {.classic = {"ebpf.exit", "Exit process", "calls", "Process", 21007},
     .current = {"system.exit", "Exit process", "calls/s", "processes", 21003},
     .dimensions = {{"do_exit", "process", process_exit_tasks},
                    {"release_task", "task", process_release_calls, -1},
                    {"release_task", "task", process_freed_calls, -1}}},
    {.classic = {"ebpf.process_status", "Process not closed", "difference", "Process", 21008},
     .current = {"system.process_status", "Process not closed", "difference", "processes", 21004},
     .dimensions = {{.id = "process", .name = "process", .counter = process_start_processes,
                     .minus = process_exit_processes},
                    {.id = "zombie", .name = "zombie", .counter = process_exit_tasks, .minus = process_release_calls}}},
    {.classic = {"ebpf.task_error", "Fails to create process", "calls", "Process", 21009},
     .current = {"system.task_error", "Fails to create process", "calls/s", "processes", 21005},
     .dimensions = {{"_do_fork", "process", process_clone_process_errors, 1, "kernel_clone"},
                    {"sys_clone", "thread", process_clone_thread_errors}}},
};

inline constexpr Share process_shares[] = {
    {.counter = process_start_processes,
     .apps = {"process_create", "Process started", "calls", "ebpf syscall", 20072},
     .app = {"ebpf_process_start", "Process started.", "calls/s", "processes", 20161},
     .cgroup = {"process_create", "Process started", "calls/s", "processes", 5000},
     .context = "process_create",
     .dimension_id = "_do_fork",
     .dimension_name = "process",
     .service_priority = 20065,
     .classic_service_priority = 20065,
     .service_family = "process"},
    {.counter = process_start_threads,
     .apps = {"thread_create", "Threads started", "calls", "ebpf syscall", 20073},
     .app = {"ebpf_thread_start", "Threads started.", "calls/s", "processes", 20162},
     .cgroup = {"thread_create", "Threads started", "calls/s", "processes", 5001},
     .context = "thread_create",
     .dimension_id = "sys_clone",
     .dimension_name = "thread",
     .service_priority = 20066,
     .classic_service_priority = 20066,
     .service_family = "process"},
    {.counter = process_exit_tasks,
     .apps = {"task_exit", "Tasks starts exit process.", "calls/s", "processes", 20067},
     .app = {"ebpf_task_exit", "Tasks starts exit process.", "calls/s", "processes", 20163},
     .cgroup = {"task_exit", "Tasks starts exit process.", "calls/s", "processes", 5002},
     .context = "task_exit",
     .dimension_id = "do_exit",
     .dimension_name = "process",
     .service_priority = 20067,
     .classic_service_priority = 20067,
     .service_family = "process"},
    {.counter = process_release_calls,
     .and_also = process_freed_calls,
     .apps = {"task_close", "Tasks closed", "calls", "ebpf syscall", 20074},
     .app = {"ebpf_task_released", "Tasks released.", "calls/s", "processes", 20164},
     .cgroup = {"task_close", "Tasks closed", "calls/s", "processes", 5003},
     .context = "task_close",
     .dimension_id = "release_task",
     .dimension_name = "task",
     .service_priority = 20068,
     .classic_service_priority = 20068,
     .service_family = "process"},
    {.counter = process_clone_process_errors,
     .and_also = process_clone_thread_errors,
     .apps = {"task_error", "Errors to create process or threads.", "calls/s", "processes", 20069},
     .app = {"ebpf_task_error", "Errors to create process or threads.", "calls/s", "processes", 20165},
     .cgroup = {"task_error", "Errors to create process or threads.", "calls/s", "processes", 5004},
     .context = "task_error",
     .dimension_id = "do_exit",
     .dimension_name = "process",
     .service_priority = 20069,
     .classic_service_priority = 20069,
     .service_family = "process"},
};
#endif
