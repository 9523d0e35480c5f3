// The virtual file system: what is counted, where in the kernel, and how it is charted.
#pragma once
#include "hook.h"

// vfs_create() is not on the way of open(O_CREAT): such a file is counted at vfs_open, see kernel-collector/vfs.bpf.c.
// vfs_fsync() and vfs_fsync_range() are inlined into fsync(2) on some kernels or others, so the system calls are hooked.
#define vfs_HOOKS(HOOK, ALSO, EVENT, SAME)                                                                     \
    HOOK(vfs, read, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_read"), SYSCALLS(read, pread64))                        \
    ALSO(vfs, readv, read, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_readv"), SYSCALLS(readv, preadv, preadv2))       \
    HOOK(vfs, write, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_write"), SYSCALLS(write, pwrite64))                    \
    ALSO(vfs, writev, write, CALLS_ERRORS_BYTES, FUNCTIONS("vfs_writev"), SYSCALLS(writev, pwritev, pwritev2)) \
    HOOK(vfs, open, BY_HAND(CALLS_ERRORS), FUNCTIONS("vfs_open"), SYSCALLS())                                  \
    HOOK(vfs, create, CALLS_ERRORS, FUNCTIONS("vfs_create"), SYSCALLS(), ONLY_WITH(open))                      \
    HOOK(vfs, unlink, CALLS_ERRORS, FUNCTIONS("vfs_unlink"), SYSCALLS(unlink, unlinkat))                       \
    HOOK(vfs, fsync, CALLS_ERRORS, FUNCTIONS("sys_fsync"), SYSCALLS(fsync))                                    \
    ALSO(vfs, fdatasync, fsync, CALLS_ERRORS, FUNCTIONS("sys_fdatasync"), SYSCALLS(fdatasync))                 \
    ALSO(vfs, fsync32, fsync, CALLS_ERRORS, FUNCTIONS("sys32_fsync"), SYSCALLS(), IF_PRESENT)                  \
    ALSO(vfs, fdatasync32, fsync, CALLS_ERRORS, FUNCTIONS("sys32_fdatasync"), SYSCALLS(), IF_PRESENT)

DECLARE_COUNTERS(vfs);

#ifdef __cplusplus
#include "chart.h"

inline constexpr Places vfs_places{
    .classic = {"VFS", 21002}, .current = {"vfs", 2150}, .apps = {"ebpf syscall", 20065}, .app = {"vfs", 20275},
    .cgroup = {"vfs", 5500}, .service = {"vfs", 20065}};

inline constexpr Chart vfs_charts[] = {
    {"filesystem.vfs_deleted_objects", "ebpf.deleted_objects", "Remove files", 0,
     {{"vfs_unlink", "delete", vfs_unlink_calls}}},
    {"filesystem.vfs_io", "ebpf.io", "Calls to IO", 1,
     {{"vfs_read", "read", vfs_read_calls}, {"vfs_write", "write", vfs_write_calls}}},
    {"filesystem.vfs_io_bytes", "ebpf.io_bytes", "Bytes written and read", 2,
     {{"vfs_read", "read", vfs_read_bytes}, {"vfs_write", "write", vfs_write_bytes, -1}}},
    {"filesystem.vfs_io_error", "ebpf.io_error", "Fails to write or read", 3,
     {{"vfs_unlink", "delete", vfs_unlink_errors},
      {"vfs_read", "read", vfs_read_errors},
      {"vfs_write", "write", vfs_write_errors}}},
    {"filesystem.vfs_fsync", nullptr, "Calls to vfs_fsync.", 4, {{"vfs_fsync", "fsync", vfs_fsync_calls}}},
    {"filesystem.vfs_fsync_error", nullptr, "Fails to synchronize", 5, {{"vfs_fsync", "fsync", vfs_fsync_errors}}},
    {"filesystem.vfs_open", nullptr, "Calls to vfs_open.", 6, {{"vfs_open", "open", vfs_open_calls}}},
    {"filesystem.vfs_open_error", nullptr, "Fails to open a file", 7, {{"vfs_open", "open", vfs_open_errors}}},
    {"filesystem.vfs_create", nullptr, "Files created.", 8, {{"vfs_create", "create", vfs_create_calls}}},
    {"filesystem.vfs_create_error", nullptr, "Fails to create a file.", 9,
     {{"vfs_create", "create", vfs_create_errors}}},
};

inline constexpr MemberChart vfs_member_charts[] = {
    {vfs_unlink_calls, "file_deleted", "Files deleted", "ebpf_call_vfs_unlink", "vfs_unlink", 0},
    {vfs_write_calls, "vfs_write_call", "Write to disk", "ebpf_call_vfs_write", "vfs_write", 1},
    {vfs_write_errors, "vfs_write_error", "Fails to write", "ebpf_call_vfs_write_error", "vfs_write_error", 2},
    {vfs_read_calls, "vfs_read_call", "Read from disk", "ebpf_call_vfs_read", "vfs_read", 3},
    {vfs_read_errors, "vfs_read_error", "Fails to read", "ebpf_call_vfs_read_error", "vfs_read_error", 4},
    {vfs_write_bytes, "vfs_write_bytes", "Bytes written on disk", "ebpf_call_vfs_write_bytes", "vfs_write_bytes", 5,
     {.app_dimension = "writes"}},
    {vfs_read_bytes, "vfs_read_bytes", "Bytes read from disk", "ebpf_call_vfs_read_bytes", "vfs_read_bytes", 6,
     {.app_dimension = "reads"}},
    {vfs_fsync_calls, "vfs_fsync", "Calls for vfs_fsync", "ebpf_call_vfs_fsync", "vfs_fsync", 7,
     {.late = true, .cgroup_title = "Calls to vfs_fsync."}},
    {vfs_fsync_errors, "vfs_fsync_error", "Sync error", "ebpf_call_vfs_fsync_error", "vfs_fsync_error", 8,
     {.late = true, .app_title = "Fails to sync."}},
    {vfs_open_calls, "vfs_open", "Calls for vfs_open", "ebpf_call_vfs_open", "vfs_open", 9,
     {.late = true, .cgroup_title = "Calls to vfs_open."}},
    {vfs_open_errors, "vfs_open_error", "Open error", "ebpf_call_vfs_open_error", "vfs_open_error", 10,
     {.late = true, .app_title = "Fails to open."}},
    {vfs_create_calls, "vfs_create", "Calls for vfs_create", "ebpf_call_vfs_create", "vfs_create", 11,
     {.late = true, .cgroup_title = "Calls to vfs_create."}},
    {vfs_create_errors, "vfs_create_error", "Create error", "ebpf_call_vfs_create_error", "vfs_create_error", 12,
     {.late = true, .app_title = "Fails to create a file."}},
};
#endif
