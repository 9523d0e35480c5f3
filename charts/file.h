// File descriptors: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

// close(2) is hooked at the system call: close_fd() still exists on new kernels but close(2) no longer goes through it.
#define file_HOOKS(HOOK, ALSO, EVENT)                                                                                  \
    HOOK(file, open, CALLS_ERRORS, FUNCTIONS("do_sys_openat2", "do_sys_open"), SYSCALLS(open, openat, openat2, creat)) \
    HOOK(file, close, CALLS_ERRORS, FUNCTIONS("sys_close"), SYSCALLS(close))                                           \
    ALSO(file, close32, close, CALLS_ERRORS, FUNCTIONS("sys32_close"), SYSCALLS(), IF_PRESENT)

DECLARE_COUNTERS(file);

#ifdef __cplusplus
#include "chart.h"

inline constexpr Chart file_charts[] = {
    {.classic = {"ebpf.file_descriptor", "Open and close calls", "calls", "File", 21000},
     .current = {"filesystem.file_descriptor", "Open and close calls", "calls/s", "file_access", 2195},
     .dimensions = {{"do_sys_open", "open", file_open_calls}, {"__close_fd", "close", file_close_calls}}},
    {.classic = {"ebpf.file_error", "Open fails", "calls", "File", 21001},
     .current = {"filesystem.file_error", "Open fails", "calls/s", "file_access", 2196},
     .dimensions = {{"do_sys_open", "open", file_open_errors}, {"__close_fd", "close", file_close_errors}}},
};

inline constexpr Share file_shares[] = {
    {.counter = file_open_calls,
     .apps = {"file_open", "Number of open files", "calls", "ebpf syscall", 20061},
     .app = {"ebpf_file_open", "Number of open files", "calls/s", "fds", 20220},
     .cgroup = {"file_open", "Number of open files", "calls/s", "file_access", 5400},
     .context = "fd_open",
     .dimension_id = "do_sys_open",
     .dimension_name = "open",
     .service_priority = 20270,
     .classic_service_priority = 20061},
    {.counter = file_open_errors,
     .apps = {"file_open_error", "Fails to open files", "calls", "ebpf syscall", 20062},
     .app = {"ebpf_file_open_error", "Fails to open files.", "calls/s", "fds", 20221},
     .cgroup = {"file_open_error", "Fails to open files", "calls/s", "file_access", 5401},
     .context = "fd_open_error",
     .dimension_id = "do_sys_open",
     .dimension_name = "open",
     .service_priority = 20271,
     .classic_service_priority = 20062},
    {.counter = file_close_calls,
     .apps = {"file_closed", "Files closed", "calls", "ebpf syscall", 20063},
     .app = {"ebpf_file_closed", "Files closed.", "calls/s", "fds", 20222},
     .cgroup = {"file_closed", "Files closed", "calls/s", "file_access", 5402},
     .context = "fd_close",
     .dimension_id = "__close_fd",
     .dimension_name = "close",
     .service_priority = 20272,
     .classic_service_priority = 20063},
    {.counter = file_close_errors,
     .apps = {"file_close_error", "Fails to close files", "calls", "ebpf syscall", 20064},
     .app = {"ebpf_file_close_error", "Fails to close files.", "calls/s", "fds", 20223},
     .cgroup = {"file_close_error", "Fails to close files", "calls/s", "file_access", 5403},
     .context = "fd_close_error",
     .dimension_id = "__close_fd",
     .dimension_name = "close",
     .service_priority = 20273,
     .classic_service_priority = 20064},
};
#endif
