// Processes and threads: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

#define COUNTERS_START(group, hook) group##_##hook##_processes, group##_##hook##_threads,
#define COUNTERS_EXIT(group, hook) group##_##hook##_tasks, group##_##hook##_processes,
#define COUNTERS_CLONE_ERRORS(group, hook) group##_##hook##_process_errors, group##_##hook##_thread_errors,

// `exec` and `exit` end the life of a slot too, so they are attached whatever is counted. A task is released when its
// parent has waited for it. `freed` is the tracepoint that follows a release by an RCU grace period: exact as a total,
// too late to tell how many zombies there are, so it only stands in for the release.
#define process_HOOKS(HOOK, ALSO, EVENT, SAME)                                                            \
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

inline constexpr Places process_places{
    .classic = {"Process", 21006}, .current = {"processes", 21002}, .apps = {"ebpf syscall", 20065},
    .app = {"processes", 20161}, .cgroup = {"processes", 5000}, .service = {"process", 20065}};

inline constexpr Chart process_charts[] = {
    {"system.process_thread", "ebpf.process_thread", "Start process", 0,
     {{"_do_fork", "process", process_start_processes, 1, "kernel_clone"},
      {"sys_clone", "thread", process_start_threads}}},
    {"system.exit", "ebpf.exit", "Exit process", 1,
     {{"do_exit", "process", process_exit_tasks},
      {"release_task", "task", process_release_calls, -1},
      {"release_task", "task", process_freed_calls, -1}}},
    {"system.process_status", "ebpf.process_status", "Process not closed", 2,
     {{.id = "process", .name = "process", .counter = process_start_processes, .minus = process_exit_processes},
      {.id = "zombie", .name = "zombie", .counter = process_exit_tasks, .minus = process_release_calls}},
     {.units = units::difference}},
    {"system.task_error", "ebpf.task_error", "Fails to create process", 3,
     {{"_do_fork", "process", process_clone_process_errors, 1, "kernel_clone"},
      {"sys_clone", "thread", process_clone_thread_errors}}},
};

inline constexpr MemberChart process_member_charts[] = {
    {process_start_processes, "process_create", "Process started", "ebpf_process_start", "process_create", 0,
     {.apps_at = 7}},
    {process_start_threads, "thread_create", "Threads started", "ebpf_thread_start", "thread_create", 1,
     {.apps_at = 8}},
    {process_exit_tasks, "task_exit", "Tasks starts exit process.", "ebpf_task_exit", "task_exit", 2, {.late = true}},
    {process_release_calls, "task_close", "Tasks closed", "ebpf_task_released", "task_close", 3,
     {.and_also = process_freed_calls, .app_title = "Tasks released.", .apps_at = 9}},
    {process_clone_process_errors, "task_error", "Errors to create process or threads.", "ebpf_task_error",
     "task_error", 4, {.and_also = process_clone_thread_errors, .late = true, .dimension_id = "do_exit"}},
};
#endif
