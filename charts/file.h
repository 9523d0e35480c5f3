// File descriptors: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

// close(2) is hooked at the system call: close_fd() still exists on new kernels but close(2) no longer goes through it.
#define file_HOOKS(HOOK, ALSO, EVENT, SAME)                                                                            \
    HOOK(file, open, CALLS_ERRORS, FUNCTIONS("do_sys_openat2", "do_sys_open"), SYSCALLS(open, openat, openat2, creat)) \
    HOOK(file, close, CALLS_ERRORS, FUNCTIONS("sys_close"), SYSCALLS(close))                                           \
    ALSO(file, close32, close, CALLS_ERRORS, FUNCTIONS("sys32_close"), SYSCALLS(), IF_PRESENT)

DECLARE_COUNTERS(file);

#ifdef __cplusplus
#include "chart.h"

inline constexpr Places file_places{
    .classic = {"File", 21000}, .current = {"file_access", 2195}, .apps = {"ebpf syscall", 20061}, .app = {"fds", 20220},
    .cgroup = {"file_access", 5400}, .service = {"file_access", 20270}, .classic_service_priority = 20061};

inline constexpr Chart file_charts[] = {
    {"filesystem.file_descriptor", "ebpf.file_descriptor", "Open and close calls", 0,
     {{"do_sys_open", "open", file_open_calls}, {"__close_fd", "close", file_close_calls}}},
    {"filesystem.file_error", "ebpf.file_error", "Open fails", 1,
     {{"do_sys_open", "open", file_open_errors}, {"__close_fd", "close", file_close_errors}}},
};

inline constexpr MemberChart file_member_charts[] = {
    {file_open_calls, "file_open", "Number of open files", "ebpf_file_open", "fd_open", 0,
     {.app_title = "Number of open files"}},
    {file_open_errors, "file_open_error", "Fails to open files", "ebpf_file_open_error", "fd_open_error", 1},
    {file_close_calls, "file_closed", "Files closed", "ebpf_file_closed", "fd_close", 2},
    {file_close_errors, "file_close_error", "Fails to close files", "ebpf_file_close_error", "fd_close_error", 3},
};
#endif
