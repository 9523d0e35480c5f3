// All groups, and the numbers of their counters and hooks. Read by clang (BPF C) and by g++.
#pragma once
#include "vfs.h"
#include "file.h"
#include "process.h"
#include "socket.h"

// A group: its name, the module that the agent shows, what it is to somebody who watches, its option and what the help says
// of that, its switch in the configuration. The first groups' counters lie in a slot's first cache line.
#define GROUPS(GROUP)                                                                            \
    GROUP(vfs, "vfs", "File reads, writes",                                                      \
          .option = "--vfs", .help = "What is done with files: reads, writes, opens, removals",  \
          .key = {.name = "vfs", .governed_by = "process"})                                      \
    GROUP(file, "filedescriptor", "File opens, closes",                                          \
          .option = "--filedescriptor", .help = "Files opened and closed",                       \
          .key = {.name = "file", .older_name = "fd", .governed_by = "process"})                 \
    GROUP(process, "process", "Processes, threads",                                              \
          .option = "-p,--process", .help = "Processes and threads", .key = {.name = "process"}) \
    GROUP(socket, "socket", "Network: TCP, UDP",                                                 \
          .option = "-n,--net", .help = "TCP and UDP: calls, bytes, connections",                \
          .key = {.name = "socket", .governed_by = "network viewer"}, .table = "connections", .sends_much = true)

#define COUNTER_RANGE(group, ...) group##_base, group##_last = group##_base + group##_counters - 1,
#define HOOK_RANGE(group, ...) group##_hook_base, group##_hook_last = group##_hook_base + group##_hooks - 1,
#define GROUP_ID(group, ...) group##_group,
enum { GROUPS(COUNTER_RANGE) COUNTERS };
enum { GROUPS(HOOK_RANGE) HOOKS };
enum { GROUPS(GROUP_ID) GROUP_COUNT };

#ifdef __cplusplus
#define HOOK_TABLE(group, ...) inline constexpr Hook group##_hook_table[] = {HOOK_ROWS(group)};
GROUPS(HOOK_TABLE)

#define GROUP_ROW(group, module_, title_, ...)     \
    {.name = #group,                               \
     .module = module_,                            \
     .title = title_,                              \
     .hooks = group##_hook_table,                  \
     .places = group##_places,                     \
     .charts = group##_charts,                     \
     .member_charts = group##_member_charts,       \
     .first_counter = group##_base,                \
     .counters = group##_counters,                 \
     .first_hook = group##_hook_base,              \
     .counter_names = TEXT_OF(ALL_COUNTERS(group)) \
         __VA_OPT__(, ) __VA_ARGS__},
inline constexpr Group groups[] = {GROUPS(GROUP_ROW)};
#endif
