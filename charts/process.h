// Processes and threads: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

#define COUNTERS_START(group, hook) group##_##hook##_processes, group##_##hook##_threads,
#define COUNTERS_EXIT(group, hook) group##_##hook##_tasks, group##_##hook##_processes,
#define COUNTERS_CLONE_ERRORS(group, hook) group##_##hook##_process_errors, group##_##hook##_thread_errors,

// `exec` and `exit` end the life of a slot too, so they are attached whatever is counted. A task is released when its
// parent has waited for it. `freed` is the tracepoint that follows a release by an RCU grace period: exact as a total,
// too late to tell how many zombies there are, so it only stands in for the release.
#define process_HOOKS(PLAIN, ALSO, COMPAT, CUSTOM, EVENT)                                                           \
    EVENT(process, exit, EXIT, "sched_process_exit", Always)                                                       \
    EVENT(process, exec, NOTHING, "sched_process_exec", Always)                                                    \
    EVENT(process, start, START, "task_newtask", WithGroup)                                                        \
    CUSTOM(process, release, CALLS, FUNCTIONS("release_task"), SYSCALLS())                                         \
    EVENT(process, freed, CALLS, "sched_process_free", InsteadOfPrevious)                                          \
    CUSTOM(process, clone, CLONE_ERRORS, FUNCTIONS("kernel_clone", "_do_fork"), SYSCALLS(fork, vfork, clone, clone3))

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
#endif
