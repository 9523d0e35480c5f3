// The virtual file system: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

// vfs_create() is not on the way of open(O_CREAT): such a file is counted at vfs_open, see kernel-collector/vfs.bpf.c.
// vfs_fsync() and vfs_fsync_range() are inlined into fsync(2) on some kernels or others, so the system calls are hooked.
#define vfs_HOOKS(PLAIN, ALSO, COMPAT, CUSTOM, EVENT)                                                               \
    PLAIN(vfs, read, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_read"), SYSCALLS(read, pread64))                           \
    ALSO(vfs, readv, read, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_readv"), SYSCALLS(readv, preadv, preadv2))           \
    PLAIN(vfs, write, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_write"), SYSCALLS(write, pwrite64))                       \
    ALSO(vfs, writev, write, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_writev"), SYSCALLS(writev, pwritev, pwritev2))     \
    CUSTOM(vfs, open, CALLS_ERRORS, FUNCTIONS("vfs_open"), SYSCALLS())                                             \
    PLAIN(vfs, create, CALLS_ERRORS, FUNCTIONS("vfs_create"), SYSCALLS())                                          \
    PLAIN(vfs, unlink, CALLS_ERRORS, FUNCTIONS("vfs_unlink"), SYSCALLS(unlink, unlinkat))                          \
    PLAIN(vfs, fsync, CALLS_ERRORS, FUNCTIONS("sys_fsync"), SYSCALLS(fsync))                                       \
    ALSO(vfs, fdatasync, fsync, CALLS_ERRORS, FUNCTIONS("sys_fdatasync"), SYSCALLS(fdatasync))                     \
    COMPAT(vfs, fsync32, fsync, CALLS_ERRORS, FUNCTIONS("__ia32_sys_fsync"))                                       \
    COMPAT(vfs, fdatasync32, fsync, CALLS_ERRORS, FUNCTIONS("__ia32_sys_fdatasync"))

DECLARE_COUNTERS(vfs);

#ifdef __cplusplus
#include "chart.h"

inline constexpr Chart vfs_charts[] = {
    {.classic = {"ebpf.deleted_objects", "Remove files", "calls", "VFS", 21002},
     .current = {"filesystem.vfs_deleted_objects", "Remove files", "calls/s", "vfs", 2150},
     .dimensions = {{"vfs_unlink", "delete", vfs_unlink_calls}}},
    {.classic = {"ebpf.io", "Calls to IO", "calls", "VFS", 21003},
     .current = {"filesystem.vfs_io", "Calls to IO", "calls/s", "vfs", 2151},
     .dimensions = {{"vfs_read", "read", vfs_read_calls}, {"vfs_write", "write", vfs_write_calls}}},
    {.classic = {"ebpf.io_bytes", "Bytes written and read", "bytes/s", "VFS", 21004},
     .current = {"filesystem.vfs_io_bytes", "Bytes written and read", "bytes/s", "vfs", 2152},
     .dimensions = {{"vfs_read", "read", vfs_read_bytes}, {"vfs_write", "write", vfs_write_bytes, -1}}},
    {.classic = {"ebpf.io_error", "Fails to write or read", "calls", "VFS", 21005},
     .current = {"filesystem.vfs_io_error", "Fails to write or read", "calls/s", "vfs", 2153},
     .dimensions = {{"vfs_unlink", "delete", vfs_unlink_errors},
                    {"vfs_read", "read", vfs_read_errors},
                    {"vfs_write", "write", vfs_write_errors}}},
    {.classic = {"filesystem.vfs_fsync", "Calls to vfs_fsync.", "calls/s", "vfs", 2154},
     .dimensions = {{"vfs_fsync", "fsync", vfs_fsync_calls}}},
    {.classic = {"filesystem.vfs_fsync_error", "Fails to synchronize", "calls/s", "vfs", 2155},
     .dimensions = {{"vfs_fsync", "fsync", vfs_fsync_errors}}},
    {.classic = {"filesystem.vfs_open", "Calls to vfs_open.", "calls/s", "vfs", 2156},
     .dimensions = {{"vfs_open", "open", vfs_open_calls}}},
    {.classic = {"filesystem.vfs_open_error", "Fails to open a file", "calls/s", "vfs", 2157},
     .dimensions = {{"vfs_open", "open", vfs_open_errors}}},
    {.classic = {"filesystem.vfs_create", "Files created.", "calls/s", "vfs", 2158},
     .dimensions = {{"vfs_create", "create", vfs_create_calls}}},
    {.classic = {"filesystem.vfs_create_error", "Fails to create a file.", "calls/s", "vfs", 2159},
     .dimensions = {{"vfs_create", "create", vfs_create_errors}}},
};
#endif
