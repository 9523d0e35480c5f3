// File descriptors: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

// close(2) is hooked at the system call: close_fd() still exists on new kernels but close(2) no longer goes through it.
#define file_HOOKS(PLAIN, ALSO, COMPAT, CUSTOM, EVENT)                                                              \
    PLAIN(file, open, CALLS_ERRORS, FUNCTIONS("do_sys_openat2", "do_sys_open"), SYSCALLS(open, openat, openat2, creat)) \
    PLAIN(file, close, CALLS_ERRORS, FUNCTIONS("sys_close"), SYSCALLS(close))                                      \
    COMPAT(file, close32, close, CALLS_ERRORS, FUNCTIONS("__ia32_sys_close"))

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
#endif
