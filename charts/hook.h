// The language in which a group says what it counts and where in the kernel. Read by clang (BPF C) and by g++.
#pragma once

// A hook is a row of the group's table:
//
//   PLAIN(group, hook, kind, FUNCTIONS(...), SYSCALLS(...))        counts what its kind says; needs no code
//   ALSO(group, hook, of, kind, FUNCTIONS(...), SYSCALLS(...))     a further path, disjoint, to the counters of hook `of`
//   COMPAT(group, hook, of, kind, FUNCTIONS(...))                  the same for 32-bit programs, where the kernel has them
//   CUSTOM(group, hook, kind, FUNCTIONS(...), SYSCALLS(...))       its bodies stand in kernel-collector/<group>.bpf.c
//   EVENT(group, hook, kind, "tracepoint", need)                   a tracepoint; the body stands there too
//
// A row may end with OR_EVENT("tracepoint") or EVENT_FIRST("tracepoint"): the kernel tells there what the functions would,
// and one program, named after the tracepoint, counts for all hooks that name it; taken after the functions, or first of
// all. BY_SOCKET(sends or receives): what stands in is each system call that does so, if its file is a socket of the hook's
// protocol.
//
// FUNCTIONS: the kernel's functions, the best first; "sys_x" is a system call's. SYSCALLS: the system calls that stand in
// where no function can be hooked. `need`: when an event is attached, see Need in chart.h.
// Both pass through macros as one argument, in parentheses, which UNWRAP takes off.
#define FUNCTIONS(...) (__VA_ARGS__)
#define SYSCALLS(...) (__VA_ARGS__)
#define UNWRAP(...) __VA_ARGS__
#define OR_EVENT(tracepoint) .shared_event = tracepoint
#define BY_SOCKET(program) .by_socket = #program
#define EVENT_FIRST(tracepoint) .shared_event = tracepoint, .event_first = true

// What a hook counts: a kind names the counters that the hook owns, first the calls, then the errors, then the bytes
// (how many of each: KIND_… in chart.h). A group may define kinds of its own.
#define COUNTERS_NOTHING(group, hook)
#define COUNTERS_CALLS(group, hook) group##_##hook##_calls,
#define COUNTERS_CALLS_ERRORS(group, hook) group##_##hook##_calls, group##_##hook##_errors,
#define COUNTERS_CALLS_ERRORS_BYTES(group, hook) COUNTERS_CALLS_ERRORS(group, hook) group##_##hook##_bytes,

#define COUNTERS_OF_HOOK(group, hook, kind, ...) COUNTERS_##kind(group, hook)
#define NO_COUNTERS(...)
#define ID_OF_HOOK(group, hook, ...) group##_##hook,

// The counters of a group and its hooks, both numbered from 0.
#define DECLARE_COUNTERS(group)                                                                                \
    enum group##_counter {                                                                                     \
        group##_HOOKS(COUNTERS_OF_HOOK, NO_COUNTERS, NO_COUNTERS, COUNTERS_OF_HOOK, COUNTERS_OF_HOOK)          \
        group##_counters                                                                                       \
    };                                                                                                         \
    enum group##_hook { group##_HOOKS(ID_OF_HOOK, ID_OF_HOOK, ID_OF_HOOK, ID_OF_HOOK, ID_OF_HOOK) group##_hooks }
